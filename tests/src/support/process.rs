//! Processes, told apart for good.

use banger_installer::model::ProcessIdentity;
use fs_err as fs;

use super::{Error, Result};

/// The process with this pid as of now; `None` when there is none, or only a zombie.
pub fn identify(pid: u32) -> Result<Option<ProcessIdentity>> {
    let stat = match fs::read(format!("/proc/{pid}/stat")) {
        Ok(stat) => String::from_utf8_lossy(&stat).into_owned(),
        Err(error) if gone(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match parse_stat(&stat) {
        Some(('Z' | 'X', _)) => Ok(None),
        Some((_, start_time)) => Ok(Some(ProcessIdentity { pid, start_time })),
        None => Err(Error::Wrong(format!("/proc/{pid}/stat reads {stat:?}"))),
    }
}

fn gone(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// State and start time (fields 3 and 22 of `proc_pid_stat(5)`). The name, field 2, may hold
/// anything, so fields are counted from its last parenthesis.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// The children of a process, all threads' together.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .flat_map(|line| {
            line.split_ascii_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat = "7 (a) S (b) R 1 7 7 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        assert_eq!(parse_stat(stat), Some(('R', 4711)));
    }

    #[test]
    fn this_process_is_found_and_an_impossible_one_is_not() {
        let own = std::process::id();
        let identity = identify(own).unwrap().unwrap();
        assert_eq!(identity.pid, own);
        assert!(identity.start_time > 0);
        assert_eq!(identify(u32::MAX).unwrap(), None);
    }
}
