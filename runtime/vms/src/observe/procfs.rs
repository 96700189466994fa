//! Processes as `/proc` and pidfds show them.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::sight::blindness;
use super::{Blindness, Processes, Seen};

/// The magic number of pidfs (linux/magic.h), whose inodes are unique for a boot.
const PIDFS_MAGIC: u64 = 0x5049_4446;

/// Bytes that are read of a process's arguments. Firecracker's have some hundred; those of others
/// may have megabytes (`execve(2)`).
const LONGEST_ARGUMENTS: u64 = 64 * 1024;
/// Bytes that are read of any other file of a process. The longest is `cgroup`, a path of up to
/// `PATH_MAX` for each hierarchy.
const LONGEST_FILE: u64 = 64 * 1024;
/// Bytes that are read of `status` where the ids are wanted, which stand in its first lines
/// (`proc_pid_status(5)`). Its list of groups may be long.
const HEAD_OF_STATUS: u64 = 4096;
/// Bytes of the table of this process's mounts.
const LONGEST_MOUNTS: u64 = 4 * 1024 * 1024;

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
    /// Pins the process with the number `pid` and reads its facts, apart from its arguments; none
    /// when the kernel says that there is no such process, which takes no `/proc`, or when it went
    /// while it was read.
    ///
    /// # Errors
    /// When facts cannot be read though the process is there.
    pub fn pin(pid: u32) -> io::Result<Option<Self>> {
        let Some(pidfd) = open_pidfd(pid)? else {
            return Ok(None);
        };
        let facts = read_facts(pid, pidfd.as_fd());
        let exited = has_exited(pidfd.as_fd())?;
        // one that is reaped has given its number back: the facts may be another's
        if exited && !has_number(pidfd.as_fd(), pid)? {
            return Ok(None);
        }
        let seen = match facts {
            Ok(facts) => Seen { exited, ..facts },
            // it went while it was read
            Err(_) if exited => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Self { pidfd, seen }))
    }

    /// All its threads have exited. A process whose main thread alone has, which `/proc` calls a
    /// zombie, has not.
    ///
    /// # Errors
    /// What poll(2) says.
    pub fn has_exited(&self) -> io::Result<bool> {
        has_exited(self.as_fd())
    }

    /// Reads its facts again; none once it has exited, by its pidfd and by nothing else.
    ///
    /// # Errors
    /// When facts cannot be read though the process is there.
    pub fn look_again(&self) -> io::Result<Option<Seen>> {
        if self.has_exited()? {
            return Ok(None);
        }
        let facts = read_facts(self.seen.pid, self.as_fd());
        if self.has_exited()? {
            return Ok(None);
        }
        facts.map(Some)
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
        let Some(pinned) = Pinned::pin(pid)? else {
            return Ok(None);
        };
        let arguments = read_bounded(&file_of(pid, "cmdline"), LONGEST_ARGUMENTS);
        let exited = pinned.has_exited()?;
        let command_line = match arguments {
            Ok(arguments) => split_arguments(&arguments),
            Err(_) if exited => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Seen {
            exited,
            command_line,
            ..pinned.seen
        }))
    }

    fn identify(&self, pid: u32) -> io::Result<Option<Seen>> {
        Ok(Pinned::pin(pid)?.map(|pinned| pinned.seen))
    }

    fn uid(&self, pid: u32) -> io::Result<Option<u32>> {
        match read_text(&file_of(pid, "status"), HEAD_OF_STATUS) {
            Ok(status) => real_uid(&status).map(Some),
            // ESRCH: it went between the open and the read
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn blindness(&self) -> Option<Blindness> {
        let own = |name, most| read_text(&Path::new("/proc/self").join(name), most);
        let init = read_bounded(&file_of(1, "stat"), LONGEST_FILE).ok();
        // a table that cannot be read names no option that hides: what was seen of process 1 counts
        let mounts = own("mountinfo", LONGEST_MOUNTS).unwrap_or_default();
        let status = own("status", LONGEST_FILE).unwrap_or_default();
        blindness(init.as_deref(), &mounts, &status)
    }

    fn control_group_root(&self) -> String {
        let groups = read_text(&file_of(1, "cgroup"), LONGEST_FILE).unwrap_or_default();
        root_of_tree(unified_group(&groups)).into()
    }
}

/// Where systemd's tree begins, by the group of process 1, which systemd moves into `init.scope`.
fn root_of_tree(group_of_init: &str) -> &str {
    let root = group_of_init.strip_suffix("/init.scope");
    root.unwrap_or_default().trim_end_matches('/')
}

fn unified_group(groups: &str) -> &str {
    let unified = groups.lines().find_map(|line| line.strip_prefix("0::"));
    unified.unwrap_or_default()
}

fn file_of(pid: u32, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

/// None when there is no such process, by the kernel's own word and not by what `/proc` shows.
fn open_pidfd(pid: u32) -> io::Result<Option<OwnedFd>> {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Ok(None);
    };
    match pidfd_open(number, PidfdFlags::NONBLOCK) {
        Ok(pidfd) => Ok(Some(pidfd)),
        // a thread's number, no process: EINVAL (pidfd_open(2)), ENOENT since Linux 6.15
        Err(Errno::SRCH | Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A pidfd turns readable when all threads of its process have exited (`pidfd_open(2)`).
fn has_exited(pidfd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut asked = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    loop {
        match poll(&mut asked, Some(&Timespec::default())) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
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
    let info = read_text(&Path::new("/proc/self/fdinfo").join(number), LONGEST_FILE)?;
    Ok(field(&info, "Pid:") == Some(pid.to_string().as_str()))
}

fn field<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
}

/// Everything but the arguments; `exited` is left to the pidfd.
fn read_facts(pid: u32, pidfd: BorrowedFd<'_>) -> io::Result<Seen> {
    let stat = read_bounded(&file_of(pid, "stat"), LONGEST_FILE)?;
    let stat = parse_stat(&stat).ok_or_else(|| bad("stat"))?;
    let uid = real_uid(&read_text(&file_of(pid, "status"), HEAD_OF_STATUS)?)?;
    let groups = read_text(&file_of(pid, "cgroup"), LONGEST_FILE)?;
    Ok(Seen {
        pid,
        start_time: stat.start_time,
        comm: stat.comm,
        exited: false,
        uid,
        command_line: Vec::new(),
        control_group: unified_group(&groups).into(),
        pidfd_inode: pidfd_inode(pidfd)?,
    })
}

/// Reads the beginning of a file of `/proc`, which says of itself that it is empty: in as few calls
/// as it takes, for this is done for many processes.
fn read_bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4096);
    let file = fs_err::File::open(path)?;
    // `take` keeps the reader from asking for a size first, too
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As text. Processes and control groups may have names that are none, by whoever's will: that must
/// hide nobody.
fn read_text(path: &Path, most: u64) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&read_bounded(path, most)?).into_owned())
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
    // the state, field 3, is not believed: see `has_exited`; the start time is field 22
    let start_time = fields.nth(19)?.parse().ok()?;
    Some(Stat { comm, start_time })
}

#[cfg(test)]
mod tests;
