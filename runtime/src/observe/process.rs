//! What can be known of a process without `CAP_SYS_PTRACE`.

use std::ffi::OsString;
use std::io;

/// The facts of one process, all read while it was pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Process id on the host.
    pub pid: u32,
    /// Start time in clock ticks since boot (`proc_pid_stat(5)`, field 22).
    pub start_time: u64,
    /// The program's name as the kernel keeps it, at most 15 bytes (`proc_pid_comm(5)`).
    pub comm: String,
    /// It has exited and waits to be reaped.
    pub exited: bool,
    /// Real user id (`proc_pid_status(5)`).
    pub uid: u32,
    /// Its arguments.
    pub command_line: Vec<OsString>,
    /// Control group on the unified hierarchy.
    pub control_group: String,
    /// Inode of its pidfd, where that is unique.
    pub pidfd_inode: Option<u64>,
}

impl Seen {
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
}

/// The processes of the host.
pub trait Processes {
    /// Every process id there is.
    ///
    /// # Errors
    /// When they cannot be listed; then nothing may be concluded.
    fn pids(&self) -> io::Result<Vec<u32>>;

    /// The facts of one process; none when there is no such process.
    ///
    /// # Errors
    /// When they cannot be read though the process is there.
    fn see(&self, pid: u32) -> io::Result<Option<Seen>>;

    /// The real user id of what has that number just now, and nothing else of it; none when nothing
    /// has. It is not pinned: a sieve before [`Processes::see`], which costs five times as much.
    ///
    /// # Errors
    /// As [`Processes::see`].
    fn uid(&self, pid: u32) -> io::Result<Option<u32>> {
        Ok(self.see(pid)?.map(|seen| seen.uid))
    }

    /// The facts of every process there is.
    ///
    /// # Errors
    /// As the two above.
    fn see_all(&self) -> io::Result<Vec<Seen>> {
        let seen = self.pids()?.into_iter().map(|pid| self.see(pid));
        seen.filter_map(Result::transpose).collect()
    }
}
