use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::BoxError;
use crate::model::ProcessIdentity;

/// How long a process may take to go after SIGTERM, and then after SIGKILL.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at a process that is to go.
const PAUSE: Duration = Duration::from_millis(20);

/// What `/proc` says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessFacts {
    /// Clock ticks since boot, `proc_pid_stat(5)` field 22.
    pub start_time: u64,
    /// Its control group on the unified hierarchy, `cgroups(7)`: what stands behind `0::`.
    pub control_group: String,
}

/// The process table.
pub trait Processes {
    /// Facts on a process that lives; none when there is no such process, or only its zombie.
    fn facts(&self, pid: u32) -> Option<ProcessFacts>;
    /// Ends that very process, by SIGTERM and then SIGKILL, and returns when it is gone. One that is
    /// gone already is fine.
    fn end(&self, identity: ProcessIdentity) -> Result<(), BoxError>;
}

/// This machine's process table, by `/proc`.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostProcesses;

impl Processes for HostProcesses {
    fn facts(&self, pid: u32) -> Option<ProcessFacts> {
        let start_time = start_time(&read(pid, "stat")?)?;
        let groups = read(pid, "cgroup")?;
        let control_group = groups
            .lines()
            .find_map(|line| line.strip_prefix("0::"))?
            .to_owned();
        Some(ProcessFacts {
            start_time,
            control_group,
        })
    }

    fn end(&self, identity: ProcessIdentity) -> Result<(), BoxError> {
        let lives = || {
            let facts = self.facts(identity.pid);
            facts.is_some_and(|facts| facts.start_time == identity.start_time)
        };
        let pid = i32::try_from(identity.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or("no process has that number")?;
        // the descriptor first, then the start time: the number may be another's by now
        let Ok(pinned) = pidfd_open(pid, PidfdFlags::empty()) else {
            return Ok(());
        };
        for signal in [Signal::TERM, Signal::KILL] {
            if !lives() {
                return Ok(());
            }
            match pidfd_send_signal(&pinned, signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            let begun = Instant::now();
            while lives() && begun.elapsed() < PATIENCE {
                std::thread::sleep(PAUSE);
            }
        }
        if lives() {
            return Err("it does not end by SIGKILL".into());
        }
        Ok(())
    }
}

/// A file of a process in `/proc`, as text: names that are none hide nobody.
fn read(pid: u32, file: &str) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/{file}")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Field 22, unless the process is dead. The name in field 2 may hold anything, parentheses and
/// blanks included: the fields are counted from its last closing one.
fn start_time(stat: &str) -> Option<u64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    // field 3: Z and X are processes that only wait to be forgotten
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_a_hostile_name() {
        let rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(start_time(&format!("7 (a) S 1) R {rest}")), Some(4711));
        assert_eq!(start_time(&format!("7 (a) Z {rest}")), None);
        assert_eq!(start_time("7 (a) S 1 2"), None);
        assert_eq!(start_time(""), None);
    }

    #[test]
    fn a_process_is_ended_only_by_its_whole_identity() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .expect("a child");
        let pid = child.id();
        let start_time = HostProcesses.facts(pid).expect("it lives").start_time;
        let other = ProcessIdentity {
            pid,
            start_time: start_time + 1,
        };
        HostProcesses.end(other).expect("nobody to end");
        assert!(child.try_wait().expect("a look").is_none(), "it was ended");
        let identity = ProcessIdentity { pid, start_time };
        HostProcesses.end(identity).expect("it ends");
        assert!(HostProcesses.facts(pid).is_none());
        child.wait().expect("its end");
    }

    #[test]
    fn a_process_whose_name_is_no_text_lives() {
        use std::os::unix::ffi::OsStrExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let name = std::ffi::OsStr::from_bytes(b"\xff\xfe");
        let program = folder.path().join(name);
        std::fs::copy("/bin/sleep", &program).expect("a copy");
        let child = std::process::Command::new(program).arg("1000").spawn();
        let mut child = child.expect("a child");
        let facts = HostProcesses.facts(child.id());
        child.kill().expect("its end");
        child.wait().expect("its end");
        assert!(facts.is_some_and(|facts| facts.start_time > 0));
    }

    #[test]
    fn this_very_process_is_found_and_an_impossible_one_is_not() {
        let own = HostProcesses.facts(std::process::id()).expect("own facts");
        assert!(own.start_time > 0 && own.control_group.starts_with('/'));
        assert_eq!(HostProcesses.facts(u32::MAX), None);
    }
}
