//! What `/proc` and pidfds say of a process, read in one way by the toolkit and by daemons.
//!
//! Guarantees: whether a process is there is the kernel's word, by a pidfd, and not what `/proc`
//! shows; what is read has a bound; a name that is no text hides nobody.

use std::io::{self, Read as _};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Bytes that are read of a file of a process. The longest is `cgroup`, a path of up to `PATH_MAX`
/// for each hierarchy.
pub const LONGEST_FILE: u64 = 64 * 1024;

/// The path of a process's file.
pub fn file_of(pid: u32, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

/// A process's number, as calls of the kernel take it; none when no process can have it.
pub fn number(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// A pidfd of a process; none when there is no such process, by the kernel's own word and not by
/// what `/proc` shows.
///
/// # Errors
/// What `pidfd_open(2)` says otherwise.
pub fn open_pidfd(pid: u32) -> io::Result<Option<OwnedFd>> {
    let Some(number) = number(pid) else {
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
///
/// # Errors
/// What poll(2) says.
pub fn has_exited(pidfd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut asked = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    loop {
        match poll(&mut asked, Some(&Timespec::default())) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads the beginning of a file of `/proc`, which says of itself that it is empty: in as few calls
/// as it takes, for this is done for many processes.
///
/// # Errors
/// What the kernel says, with the path.
pub fn read_bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4096);
    let file = fs_err::File::open(path)?;
    // `take` keeps the reader from asking for a size first, too
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As text. Processes and control groups may have names that are none, by whoever's will: that must
/// hide nobody.
///
/// # Errors
/// As [`read_bounded`].
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&read_bounded(path, most)?).into_owned())
}

/// The control group on the unified hierarchy, in the text of `/proc/PID/cgroup`: what stands behind
/// `0::` (`cgroups(7)`).
pub fn unified_group(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| line.strip_prefix("0::"))
}

/// What `/proc/PID/stat` says (`proc_pid_stat(5)`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Field 2: the name of the program, or whatever the process gave itself.
    pub comm: String,
    /// Field 3, of the main thread alone: `Z` when that one has exited, though others may live.
    pub state: char,
    /// Field 22: clock ticks since boot.
    pub start_time: u64,
}

impl Stat {
    /// Reads the text. The name in field 2 may hold blanks, parentheses and any other byte, so the
    /// fields after it are counted from the last `)`.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let open = bytes.iter().position(|byte| *byte == b'(')?;
        let close = bytes.iter().rposition(|byte| *byte == b')')?;
        let comm = String::from_utf8_lossy(bytes.get(open + 1..close)?).into_owned();
        let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        Some(Self {
            comm,
            state: fields.next()?.chars().next()?,
            start_time: fields.nth(18)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_a_hostile_name() {
        let rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        let found = Stat::parse(format!("7 (a) S 1) R {rest}").as_bytes());
        let found = found.expect("a process");
        assert_eq!((found.state, found.start_time), ('R', 4711));
        assert_eq!(found.comm, "a) S 1");
        for bad in ["7 (a) S 1 2", "7 a S 1", ")(", ""] {
            assert_eq!(Stat::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn the_unified_group_is_found_among_those_of_other_hierarchies() {
        assert_eq!(unified_group("1:name=systemd:/a\n0::/b\n"), Some("/b"));
        assert_eq!(unified_group("1:name=systemd:/a\n"), None);
    }
}
