//! Processes as `/proc` and pidfds show them.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{Processes, Seen};

/// The magic number of pidfs (linux/magic.h), whose inodes are unique for a boot.
const PIDFS_MAGIC: u64 = 0x5049_4446;

/// The processes of this host.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostProcesses;

/// A process that is held by a pidfd: its number may be given to another, the descriptor never.
#[derive(Debug)]
pub struct Pinned {
    pidfd: OwnedFd,
    /// What was read while it was pinned.
    pub seen: Seen,
}

impl Pinned {
    /// Pins the process with the number `pid` and reads its facts; none when there is none, or when
    /// it went while it was read.
    ///
    /// # Errors
    /// When facts cannot be read though the process is there.
    pub fn pin(pid: u32) -> io::Result<Option<Self>> {
        let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let pidfd = match pidfd_open(number, PidfdFlags::NONBLOCK) {
            Ok(pidfd) => pidfd,
            // EINVAL: a thread's number, no process (pidfd_open(2))
            Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let facts = read_facts(pid, pidfd.as_fd());
        if !has_number(pidfd.as_fd(), pid)? {
            return Ok(None);
        }
        Ok(Some(Self {
            pidfd,
            seen: facts?,
        }))
    }

    /// Reads its facts again; none once it has exited.
    ///
    /// # Errors
    /// When facts cannot be read though the process is there.
    pub fn look_again(&self) -> io::Result<Option<Seen>> {
        let pid = self.seen.pid;
        let facts = read_facts(pid, self.as_fd());
        if !has_number(self.as_fd(), pid)? {
            return Ok(None);
        }
        Ok(Some(facts?).filter(|seen| !seen.exited))
    }

    /// Sends a signal to just this process. One that is gone is fine.
    ///
    /// # Errors
    /// What `pidfd_send_signal(2)` says.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Pinned {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Processes for HostProcesses {
    fn pids(&self) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        for entry in fs_err::read_dir("/proc")? {
            if let Some(pid) = entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            {
                pids.push(pid);
            }
        }
        pids.sort_unstable();
        Ok(pids)
    }

    fn see(&self, pid: u32) -> io::Result<Option<Seen>> {
        Ok(Pinned::pin(pid)?.map(|pinned| pinned.seen))
    }

    fn uid(&self, pid: u32) -> io::Result<Option<u32>> {
        match read_text(&Path::new("/proc").join(pid.to_string()).join("status")) {
            Ok(status) => real_uid(&status).map(Some),
            // ESRCH: it went between the open and the read
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The id of this boot.
///
/// # Errors
/// When `/proc` is not there.
pub fn boot_id() -> io::Result<String> {
    Ok(fs_err::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .into())
}

/// The pidfd still has the number: `Pid:` in its fdinfo is -1 once the process is reaped
/// (`pidfd_open(2)`).
fn has_number(pidfd: BorrowedFd<'_>, pid: u32) -> io::Result<bool> {
    let number = pidfd.as_raw_fd().to_string();
    let info = read_text(&Path::new("/proc/self/fdinfo").join(number))?;
    Ok(field(&info, "Pid:") == Some(pid.to_string().as_str()))
}

fn field<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
}

fn read_facts(pid: u32, pidfd: BorrowedFd<'_>) -> io::Result<Seen> {
    let folder = Path::new("/proc").join(pid.to_string());
    let stat = read_small(&folder.join("stat"))?;
    let stat = parse_stat(&stat).ok_or_else(|| bad("stat"))?;
    let uid = real_uid(&read_text(&folder.join("status"))?)?;
    let groups = read_text(&folder.join("cgroup"))?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let command_line = read_small(&folder.join("cmdline"))?;
    Ok(Seen {
        pid,
        start_time: stat.start_time,
        comm: stat.comm,
        exited: stat.exited,
        uid,
        command_line: split_arguments(&command_line),
        control_group: group.unwrap_or_default().into(),
        pidfd_inode: pidfd_inode(pidfd)?,
    })
}

/// Reads a file of `/proc`, which says of itself that it is empty: in as few calls as it takes,
/// for this is done for every process of the host.
fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4096);
    let file = fs_err::File::open(path)?;
    // `take` keeps the reader from asking for a size first
    file.take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As text. Processes and control groups may have names that are none, by whoever's will: that must
/// hide nobody.
fn read_text(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&read_small(path)?).into_owned())
}

fn real_uid(status: &str) -> io::Result<u32> {
    let uid = field(status, "Uid:").and_then(|uid| uid.parse().ok());
    uid.ok_or_else(|| bad("status"))
}

fn bad(file: &str) -> io::Error {
    io::Error::other(format!("{file} of a process has another form"))
}

fn split_arguments(bytes: &[u8]) -> Vec<OsString> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    let words = bytes.split(|byte| *byte == 0);
    words
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect()
}

fn pidfd_inode(pidfd: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    let on_pidfs = u64::try_from(rustix::fs::fstatfs(pidfd)?.f_type) == Ok(PIDFS_MAGIC);
    Ok(if on_pidfs {
        Some(rustix::fs::fstat(pidfd)?.st_ino)
    } else {
        None
    })
}

struct Stat {
    comm: String,
    exited: bool,
    start_time: u64,
}

/// Reads `/proc/PID/stat`. The name in field 2 may hold blanks, parentheses and any other byte, so
/// the fields after it are counted from the last `)`.
fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let comm = String::from_utf8_lossy(bytes.get(open + 1..close)?).into_owned();
    let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    // the state is field 3, the start time field 22
    let start_time = fields.nth(18)?.parse().ok()?;
    Some(Stat {
        comm,
        exited: matches!(state, "Z" | "X" | "x"),
        start_time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_parentheses_shifts_no_field() {
        let line = b"77 (a) R (b 1 2) S 1 77 77 0 -1 4194560 1 0 0 0 3 4 0 0 20 0 1 0 98765 1 2";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.comm.as_str(), stat.exited), ("a) R (b 1 2", false));
        assert_eq!(stat.start_time, 98765);
        for text in ["", "77", "77 (a", "77 a) S 1", "77 (a) S 1 2 3"] {
            assert!(parse_stat(text.as_bytes()).is_none(), "{text:?} was read");
        }
    }

    #[test]
    fn this_process_is_seen_as_it_is_and_the_same_twice() {
        let seen = HostProcesses.see(std::process::id()).unwrap().unwrap();
        assert_eq!(seen.uid, rustix::process::getuid().as_raw());
        assert!(!seen.exited && seen.start_time > 0);
        assert_eq!(HostProcesses.uid(seen.pid).unwrap(), Some(seen.uid));
        assert_eq!(HostProcesses.see(seen.pid).unwrap(), Some(seen));
    }

    #[test]
    fn a_process_whose_name_is_no_text_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(OsString::from_vec(b"\xff\xfe".to_vec()));
        std::fs::copy("/bin/cat", &program).unwrap();
        let mut child = std::process::Command::new(&program)
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let seen = HostProcesses.see(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        let seen = seen.unwrap().unwrap();
        assert_eq!(seen.pid, child.id());
        assert!(!seen.exited && seen.start_time > 0, "{seen:?}");
    }

    #[test]
    fn a_pinned_process_that_ended_is_not_seen_again_and_not_signalled() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pinned = Pinned::pin(child.id()).unwrap().unwrap();
        pinned.signal(Signal::KILL).unwrap();
        child.wait().unwrap();
        assert!(!has_number(pinned.as_fd(), child.id()).unwrap());
        pinned.signal(Signal::KILL).unwrap();
    }

    #[test]
    fn numbers_that_no_process_can_have_are_no_processes() {
        for pid in [0, u32::MAX, i32::MAX.unsigned_abs()] {
            assert!(HostProcesses.see(pid).unwrap().is_none(), "{pid}");
            assert!(HostProcesses.uid(pid).unwrap().is_none(), "{pid}");
        }
    }
}
