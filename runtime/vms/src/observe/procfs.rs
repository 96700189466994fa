//! Processes as `/proc` and pidfds show them.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use banger_installer_host::proc::{
    LONGEST_FILE, Stat, file_of, has_exited, open_pidfd, read_bounded, read_text, unified_group,
};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};

use super::sight::blindness;
use super::{Blindness, ProcessInfo, Processes};

/// The magic number of pidfs (linux/magic.h), whose inodes are unique for a boot.
const PIDFS_MAGIC: u64 = 0x5049_4446;

/// Bytes that are read of a process's arguments. Firecracker's have some hundred; those of others
/// may have megabytes (`execve(2)`).
const LONGEST_ARGUMENTS: u64 = 64 * 1024;
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
    pub seen: ProcessInfo,
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
            Ok(facts) => ProcessInfo { exited, ..facts },
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
    pub fn look_again(&self) -> io::Result<Option<ProcessInfo>> {
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

    fn see(&self, pid: u32) -> io::Result<Option<ProcessInfo>> {
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
        Ok(Some(ProcessInfo {
            exited,
            command_line,
            ..pinned.seen
        }))
    }

    fn identify(&self, pid: u32) -> io::Result<Option<ProcessInfo>> {
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
        root_of_tree(unified_group(&groups).unwrap_or_default()).into()
    }
}

/// Where systemd's tree begins, by the group of process 1, which systemd moves into `init.scope`.
fn root_of_tree(group_of_init: &str) -> &str {
    let root = group_of_init.strip_suffix("/init.scope");
    root.unwrap_or_default().trim_end_matches('/')
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
fn read_facts(pid: u32, pidfd: BorrowedFd<'_>) -> io::Result<ProcessInfo> {
    let stat = read_bounded(&file_of(pid, "stat"), LONGEST_FILE)?;
    // the state is not believed: see `has_exited`
    let stat = Stat::parse(&stat).ok_or_else(|| bad("stat"))?;
    let uid = real_uid(&read_text(&file_of(pid, "status"), HEAD_OF_STATUS)?)?;
    let groups = read_text(&file_of(pid, "cgroup"), LONGEST_FILE)?;
    Ok(ProcessInfo {
        pid,
        start_time: stat.start_time,
        comm: stat.comm,
        exited: false,
        uid,
        command_line: Vec::new(),
        control_group: unified_group(&groups).unwrap_or_default().into(),
        pidfd_inode: pidfd_inode(pidfd)?,
    })
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

#[cfg(test)]
mod tests;
