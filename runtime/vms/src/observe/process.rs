//! What can be known of a process without `CAP_SYS_PTRACE`.

use std::ffi::OsString;
use std::io;

use super::Blindness;

/// The facts of one process, all read while it was pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Process id on the host.
    pub pid: u32,
    /// Start time in clock ticks since boot (`proc_pid_stat(5)`, field 22).
    pub start_time: u64,
    /// The program's name as the kernel keeps it, at most 15 bytes (`proc_pid_comm(5)`).
    pub comm: String,
    /// All its threads have exited, by its pidfd (`pidfd_open(2)`). The state in `/proc/PID/stat` is
    /// no such word: it says `Z` as soon as the main thread has exited, whatever the others do.
    pub exited: bool,
    /// Real user id (`proc_pid_status(5)`).
    pub uid: u32,
    /// Its arguments, as far as they were asked for and up to a bound.
    pub command_line: Vec<OsString>,
    /// Control group on the unified hierarchy.
    pub control_group: String,
    /// Inode of its pidfd, where that is unique.
    pub pidfd_inode: Option<u64>,
}

impl ProcessInfo {
    /// The argument that follows `option`, or is joined to it by `=`.
    pub fn option(&self, option: &str) -> Option<&std::ffi::OsStr> {
        use std::os::unix::ffi::OsStrExt as _;
        let mut arguments = self.command_line.iter();
        while let Some(argument) = arguments.next() {
            if argument == option {
                return arguments.next().map(OsString::as_os_str);
            }
            let joined = argument
                .as_bytes()
                .strip_prefix(option.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="));
            if let Some(value) = joined {
                return Some(std::ffi::OsStr::from_bytes(value));
            }
        }
        None
    }

    /// The same process: what never changes about one is equal.
    pub fn is_same_process(&self, other: &Self) -> bool {
        let same_inode = match (self.pidfd_inode, other.pidfd_inode) {
            (Some(one), Some(two)) => one == two,
            _ => true,
        };
        same_inode && (self.pid, self.start_time) == (other.pid, other.start_time)
    }
}

/// The processes of the host.
pub trait Processes {
    /// Every process id that can be listed. Where `/proc` hides processes these are not all, see
    /// [`Processes::blindness`].
    ///
    /// # Errors
    /// When they cannot be listed; then nothing may be concluded.
    fn pids(&self) -> io::Result<Vec<u32>>;

    /// The facts of one process; none when there is no such process, which the kernel said and not
    /// only `/proc`.
    ///
    /// # Errors
    /// When they cannot be read though the process is there.
    fn see(&self, pid: u32) -> io::Result<Option<ProcessInfo>>;

    /// The same without its arguments, which lie in memory that the process controls.
    ///
    /// # Errors
    /// As [`Processes::see`].
    fn identify(&self, pid: u32) -> io::Result<Option<ProcessInfo>> {
        Ok(self.see(pid)?.map(|seen| ProcessInfo {
            command_line: Vec::new(),
            ..seen
        }))
    }

    /// The real user id of what has that number just now, and nothing else of it; none when nothing
    /// is to be seen there. It is not pinned: a sieve before [`Processes::see`], which costs five
    /// times as much.
    ///
    /// # Errors
    /// When it cannot be read.
    fn uid(&self, pid: u32) -> io::Result<Option<u32>> {
        Ok(self.identify(pid)?.map(|seen| seen.uid))
    }

    /// Why not every process can be seen; none when all can.
    fn blindness(&self) -> Option<Blindness> {
        None
    }

    /// The control group that systemd, process 1, has as the root of its tree: empty where that is
    /// the root of the hierarchy as this process sees it.
    fn control_group_root(&self) -> String {
        String::new()
    }
}
