//! Asking a program of a release for its version, or what it will do to the state.
//!
//! Guarantees: a program that nothing points at yet is asked without privileges and without a
//! network; one that is asked of state runs as who will run it, and can gain no more than that; nothing
//! that either started outlives the answer.

use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// The longest that a program may take to print its version.
const BOUND: Duration = Duration::from_secs(10);

/// The most bytes that a version line may have.
const LINE_CAP: usize = 4096;

/// Between two looks at a program that says nothing.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};

/// Who owns nothing: `nobody` and its group, by their numbers in the kernel (`user_namespaces(7)`).
const NOBODY: u32 = 65_534;

/// A program that does not say what it is asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// It cannot be started or read.
    #[error("{} cannot be run", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The kernel does not let it be kept apart.
    #[error("{} cannot be run without a network", program.display())]
    Confine {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended with a failure, or was ended because it took too long.
    #[error("{} {words} {outcome}", program.display())]
    Outcome {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        words: String,
        /// How it ended.
        outcome: String,
    },
}

/// A question to a program of a release.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The program.
    pub program: &'a Path,
    /// Its arguments.
    pub words: &'a [String],
    /// The user and group that it runs as; root where none is named.
    pub user: Option<(u32, u32)>,
}

/// What a program said, and how it exited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it printed.
    pub text: String,
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
}

/// Programs of a release.
pub trait Programs {
    /// What `PROGRAM --version` prints, newline included.
    fn version_line(&self, program: &Path) -> Result<String, ProgramError>;

    /// What a program says and how it exits when it is asked something else.
    fn say(&self, question: &Question<'_>) -> Result<Said, ProgramError>;

    /// The file of the program that runs the toolkit; none where that cannot be told, or is not to be
    /// kept.
    fn own(&self) -> Option<PathBuf> {
        None
    }
}

/// Programs run on this machine: with an empty environment, no input, and a bound on time and output.
/// Where root asks, they run as nobody, can gain no privileges, and have no network.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostPrograms;

impl Programs for HostPrograms {
    fn version_line(&self, program: &Path) -> Result<String, ProgramError> {
        version_line(program, BOUND)
    }

    fn say(&self, question: &Question<'_>) -> Result<Said, ProgramError> {
        Ok(ask(question, BOUND)?.0)
    }

    fn own(&self) -> Option<PathBuf> {
        std::env::current_exe().ok()
    }
}

fn version_line(program: &Path, bound: Duration) -> Result<String, ProgramError> {
    let question = Question {
        program,
        words: &["--version".to_owned()],
        user: Some((NOBODY, NOBODY)),
    };
    let (said, status) = ask(&question, bound)?;
    if status.success() {
        return Ok(said.text);
    }
    Err(question.outcome(format!("ended with {status}")))
}

impl Question<'_> {
    fn outcome(&self, outcome: String) -> ProgramError {
        ProgramError::Outcome {
            program: self.program.into(),
            words: self.words.join(" "),
            outcome,
        }
    }
}

/// A thread of its own is given up for it: what it leaves, it leaves for good.
fn ask(question: &Question<'_>, bound: Duration) -> Result<(Said, ExitStatus), ProgramError> {
    let failed = |source| ProgramError::Run {
        program: question.program.into(),
        source,
    };
    let asked = std::thread::scope(|scope| {
        let work = || ask_here(question, bound);
        let thread = std::thread::Builder::new().spawn_scoped(scope, work);
        thread.map(std::thread::ScopedJoinHandle::join)
    });
    asked.map_err(failed)?.unwrap_or_else(|_panic| {
        let gone = io::Error::other("the thread that asked it is gone");
        Err(failed(gone))
    })
}

fn ask_here(question: &Question<'_>, bound: Duration) -> Result<(Said, ExitStatus), ProgramError> {
    let program = question.program;
    let failed = |source| ProgramError::Run {
        program: program.into(),
        source,
    };
    let mut command = Command::new(program);
    command
        .args(question.words)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    if rustix::process::geteuid().is_root() {
        confine().map_err(|source| ProgramError::Confine {
            program: program.into(),
            source,
        })?;
        if let Some((uid, gid)) = question.user {
            // without supplementary groups: whoever leaves root by `uid` keeps none
            command.uid(uid).gid(gid);
        }
    }
    let mut child = command.spawn().map_err(failed)?;
    let output = child.stdout.take();
    let answer = hear(&child, output, Instant::now() + bound);
    let status = end(&mut child).map_err(failed)?;
    match answer.map_err(failed)? {
        Heard::Line(text) => {
            let code = status.code();
            Ok((Said { text, code }, status))
        }
        Heard::TooMuch => Err(question.outcome(format!("printed more than {LINE_CAP} bytes"))),
        Heard::TooLate => Err(question.outcome(format!("took longer than {} s", bound.as_secs()))),
    }
}

/// From here on what this thread starts has no network, gains no privileges from any file, and lives
/// in a pid namespace of its own, which ends with its first process.
fn confine() -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    let whole = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID;
    match unshare(whole) {
        // a sandbox that allows the one and not the other ends what is left by itself
        Err(Errno::EPERM) => unshare(CloneFlags::CLONE_NEWNET)?,
        unshared => unshared?,
    }
    Ok(())
}

/// What was heard of a program.
enum Heard {
    /// It ended, and said this.
    Line(String),
    TooMuch,
    TooLate,
}

fn hear(child: &Child, output: Option<ChildStdout>, deadline: Instant) -> io::Result<Heard> {
    let mut output = output.ok_or_else(|| io::Error::other("it has no output"))?;
    let mut heard = Vec::new();
    loop {
        // first whether it ended, then what it had said: nothing is missed
        let ended = has_ended(child)?;
        let mut polled = [PollFd::new(&output, PollFlags::IN)];
        poll(&mut polled, Some(&PAUSE))?;
        let [polled] = &polled;
        let says = polled.revents().contains(PollFlags::IN);
        if says {
            let mut chunk = [0; LINE_CAP];
            let count = output.read(&mut chunk)?;
            heard.extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
        if heard.len() > LINE_CAP {
            return Ok(Heard::TooMuch);
        }
        if ended && !says {
            let line = String::from_utf8(heard);
            return line.map(Heard::Line).map_err(io::Error::other);
        }
        if Instant::now() >= deadline {
            return Ok(Heard::TooLate);
        }
    }
}

fn pid_of(child: &Child) -> io::Result<Pid> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("a child without a pid"))
}

/// Whether it ended; its status stays with the kernel, and so its number is nobody else's.
fn has_ended(child: &Child) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let status = waitid(WaitId::Pid(pid_of(child)?), options)?;
    Ok(status.is_some())
}

/// Ends it and its process group, and gives its status.
fn end(child: &mut Child) -> io::Result<ExitStatus> {
    // its own end does not depend on there being a group
    let _ = kill_process_group(pid_of(child)?, Signal::KILL);
    child.kill()?;
    child.wait()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A script that everybody may run.
    fn script(folder: &Path, text: &str) -> PathBuf {
        let program = folder.join("tell");
        std::fs::write(&program, text).expect("a script");
        for path in [folder, &program] {
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(path, mode).expect("a mode");
        }
        program
    }

    #[test]
    fn a_program_is_run_without_our_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        // the environment as the shell was given it, with what it adds itself
        let program = script(folder.path(), "#!/bin/sh\n/usr/bin/env\n");
        let told = HostPrograms.version_line(&program).expect("it runs");
        assert!(
            std::env::vars_os().count() > 1,
            "nothing could be passed on"
        );
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let is_the_shells = matches!(&*name, "PWD" | "OLDPWD" | "SHLVL" | "_");
            let passed_on = told
                .lines()
                .any(|line| line.starts_with(&format!("{name}=")));
            assert!(is_the_shells || !passed_on, "{name} was passed on: {told}");
        }
    }

    #[test]
    fn a_failure_and_a_missing_program_are_told_apart() {
        assert!(matches!(
            HostPrograms.version_line(Path::new("/bin/false")),
            Err(ProgramError::Outcome { .. })
        ));
        assert!(matches!(
            HostPrograms.version_line(Path::new("/nonexistent/program")),
            Err(ProgramError::Run { .. })
        ));
    }

    #[test]
    fn a_program_that_says_too_much_or_takes_too_long_is_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let endless = script(folder.path(), "#!/bin/sh\nwhile :; do echo endless; done\n");
        let error = HostPrograms
            .version_line(&endless)
            .expect_err("it is endless");
        assert!(
            error.to_string().contains("more than 4096 bytes"),
            "{error}"
        );
        let slow = script(folder.path(), "#!/bin/sh\nsleep 1000\n");
        let error = version_line(&slow, Duration::from_millis(200)).expect_err("it is slow");
        assert!(error.to_string().contains("took longer"), "{error}");
    }
}
