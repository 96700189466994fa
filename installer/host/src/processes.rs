//! The process table.
//!
//! Guarantees: whether a process lives is asked of its pidfd. The state in `proc_pid_stat(5)` is that
//! of the main thread alone: one that has exited shows `Z` while the others run on.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::process::{Signal, pidfd_send_signal};

use super::BoxError;
use crate::proc::{
    LONGEST_FILE, Stat, file_of, has_exited, number, open_pidfd, read_bounded, read_text,
    unified_group,
};
use crate::{ProcessIdentity, ProtectedProcess};

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
    /// Whether its main thread is stopped, by SIGSTOP or by whoever traces it (state `T` or `t`).
    pub stopped: bool,
}

impl ProcessFacts {
    /// The process, as one that must outlive every stop: `name` is what people call it, `id` a word
    /// that is safe in a unit name.
    pub fn protected(self, name: &str, id: &str, pid: u32) -> ProtectedProcess {
        ProtectedProcess {
            name: name.into(),
            id: id.into(),
            identity: ProcessIdentity {
                pid,
                start_time: self.start_time,
            },
            control_group: self.control_group,
        }
    }
}

/// The process table.
pub trait Processes {
    /// Facts on a process that lives, be it by one thread; none when there is no such process, or
    /// nothing of it is left but its exit status.
    fn facts(&self, pid: u32) -> Option<ProcessFacts>;
    /// Ends that very process, by SIGTERM and then SIGKILL, and returns when it is gone. One that is
    /// gone already is fine.
    fn end(&self, identity: ProcessIdentity) -> Result<(), BoxError>;
}

/// This machine's process table, by `/proc`.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostProcesses;

impl HostProcesses {
    /// A process that lives, as a protected one: see [`ProcessFacts::protected`].
    pub fn protected(self, name: &str, id: &str, pid: u32) -> Option<ProtectedProcess> {
        let facts = self.facts(pid)?;
        Some(facts.protected(name, id, pid))
    }
}

impl Processes for HostProcesses {
    fn facts(&self, pid: u32) -> Option<ProcessFacts> {
        // pinned before it is read: the number may be another's a moment later
        let pinned = pin(pid)?;
        let Stat {
            state, start_time, ..
        } = stat(pid)?;
        let control_group = unified_group(&read(pid, "cgroup")?)?.to_owned();
        let facts = ProcessFacts {
            start_time,
            control_group,
            stopped: matches!(state, 'T' | 't'),
        };
        pinned.lives(state).then_some(facts)
    }

    fn end(&self, identity: ProcessIdentity) -> Result<(), BoxError> {
        let lives = || {
            let facts = self.facts(identity.pid);
            facts.is_some_and(|facts| facts.start_time == identity.start_time)
        };
        number(identity.pid).ok_or("no process has that number")?;
        // the descriptor first, then the start time: the number may be another's by now
        let Ok(Some(pinned)) = open_pidfd(identity.pid) else {
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

/// A file of a process in `/proc`, as text.
fn read(pid: u32, file: &str) -> Option<String> {
    read_text(&file_of(pid, file), LONGEST_FILE).ok()
}

fn stat(pid: u32) -> Option<Stat> {
    Stat::parse(&read_bounded(&file_of(pid, "stat"), LONGEST_FILE).ok()?)
}

/// A process that is held by its number.
enum Pinned {
    /// By a descriptor, which poll(2) says readable once the last thread has exited.
    Descriptor(OwnedFd),
    /// The kernel gave none, for want of room say: then its `/proc` counts.
    Number,
}

/// None when there is no such process.
fn pin(pid: u32) -> Option<Pinned> {
    match open_pidfd(pid) {
        Ok(descriptor) => descriptor.map(Pinned::Descriptor),
        Err(_) => Some(Pinned::Number),
    }
}

/// A descriptor of that very process; none when it is gone.
pub fn descriptor(identity: ProcessIdentity) -> Option<OwnedFd> {
    let Pinned::Descriptor(descriptor) = pin(identity.pid)? else {
        return None;
    };
    // read behind the descriptor: the number cannot have become another's meanwhile
    let found = stat(identity.pid)?;
    (found.start_time == identity.start_time).then_some(descriptor)
}

impl Pinned {
    /// Whether any of it runs. `state` is field 3 of its main thread.
    fn lives(&self, state: char) -> bool {
        let by_state = !matches!(state, 'Z' | 'X' | 'x');
        let Self::Descriptor(descriptor) = self else {
            return by_state;
        };
        has_exited(descriptor.as_fd()).map_or(by_state, |exited| !exited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program whose main thread exits at once while another lives on.
    fn headless(folder: &std::path::Path) -> std::process::Child {
        let source = "#include <pthread.h>\n#include <unistd.h>\n\
            static void *live(void *x) { for (;;) pause(); return x; }\n\
            int main(void) { pthread_t t; pthread_create(&t, 0, live, 0); pthread_exit(0); }\n";
        std::fs::write(folder.join("headless.c"), source).expect("a source");
        let program = folder.join("headless");
        let built = std::process::Command::new("cc")
            .args(["-pthread", "-o"])
            .arg(&program)
            .arg(folder.join("headless.c"))
            .status();
        assert!(built.expect("a compiler").success());
        let child = std::process::Command::new(program).spawn();
        child.expect("a child")
    }

    #[test]
    fn a_process_whose_main_thread_exited_lives_and_is_ended() {
        use std::os::unix::process::ExitStatusExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = headless(folder.path());
        let state = || stat(child.id()).map(|stat| stat.state);
        while state() != Some('Z') {
            std::thread::yield_now();
        }
        let facts = HostProcesses.facts(child.id());
        let facts = facts.expect("a thread of it lives, so it does");
        let identity = ProcessIdentity {
            pid: child.id(),
            start_time: facts.start_time,
        };
        HostProcesses.end(identity).expect("it ends");
        let left = HostProcesses.facts(child.id());
        assert_eq!(left, None, "only its status is left");
        let status = child.wait().expect("its end");
        assert!(status.signal().is_some(), "{status}: nobody ended it");
    }

    #[test]
    fn a_process_that_is_stopped_says_so() {
        let child = std::process::Command::new("sleep").arg("1000").spawn();
        let mut child = child.expect("a child");
        let pid = number(child.id()).expect("a pid");
        assert!(!HostProcesses.facts(child.id()).expect("it lives").stopped);
        rustix::process::kill_process(pid, Signal::STOP).expect("stopped");
        while !HostProcesses.facts(child.id()).expect("it lives").stopped {
            std::thread::yield_now();
        }
        child.kill().expect("its end");
        child.wait().expect("its end");
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
