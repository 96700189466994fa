//! One program of the product lets another carry out an operation, under the same lock.
//!
//! Guarantees: the lock is never free in between, since both hold the same open file; who kills the
//! caller, whose pid is known as the lock's holder, ends both, and so the operation. Until the
//! called program has said what it would do, and its caller has agreed, it must change nothing; one
//! that crashes, hangs or says anything else by then is ended.
//!
//! The called program finds what it needs in descriptors that it inherits, whose numbers are its last
//! argument, and opens them by `/proc/self/fd` (`proc_pid_fd(5)`).

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::{BoxError, Lock, LockError};

/// The version of the handover that this code speaks, on both sides.
pub const HANDOVER: u32 = 1;
/// The option that the called program gets last.
const HANDOVER_OPTION: &str = "--handover";
/// No request is longer, in bytes.
const REQUEST_LIMIT: u64 = 1024 * 1024;
/// No answer is longer, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;
/// What lets the called program go on.
const GO: u8 = b'\n';
/// Between two looks at signals, in nanoseconds.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// A call of another program.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The program.
    pub program: &'a Path,
    /// Its first arguments.
    pub words: &'a [String],
    /// The lock, which it shares from then on.
    pub lock: &'a Lock,
    /// What it is asked, at most 1 MiB.
    pub request: &'a [u8],
    /// How long it may take to say what it would do.
    pub patience: Duration,
    /// Set when a signal asks the operation to end: it is passed on.
    pub interrupt: &'a AtomicBool,
}

/// A call that came to nothing. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandoverError {
    /// It cannot be started, or the kernel refused.
    #[error("{} cannot be called", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended, or was ended, before it had said what it would do.
    #[error("{} made no plan: {how}", program.display())]
    NoPlan {
        /// The program.
        program: PathBuf,
        /// How it ended, or what it did instead.
        how: String,
    },
    /// What it would do is not what it was asked.
    #[error("{} made a plan that cannot be followed", program.display())]
    Refused {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The caller is not one that hands an operation over.
    #[error("this command is only for another version of this program to call")]
    NotCalled(#[source] io::Error),
    /// The caller has gone, or changed its mind.
    #[error("the program that began the operation is gone")]
    Left,
}

/// Calls a program, and waits until it has ended. `accept` is given what it says that it would do.
///
/// # Errors
/// [`HandoverError`]. A program that exits with a failure is none: it has said why.
pub fn hand_over(
    call: &Call<'_>,
    accept: &mut dyn FnMut(&[u8]) -> Result<(), BoxError>,
) -> Result<ExitStatus, HandoverError> {
    let failed = |source| HandoverError::Start {
        program: call.program.into(),
        source,
    };
    let Spawned {
        mut child,
        mut go,
        answers,
    } = spawn(call).map_err(failed)?;
    let no_plan = |how: String| HandoverError::NoPlan {
        program: call.program.into(),
        how,
    };
    let heard = hear(&mut child, &answers, call).map_err(failed);
    let refused = match heard {
        Ok(Heard::Ended(status)) if is_own_failure(status) => return Ok(status),
        Ok(Heard::Ended(status)) => return Err(no_plan(format!("it ended with {status}"))),
        Ok(Heard::Answer(answer)) => match accept(&answer) {
            Ok(()) => None,
            Err(source) => Some(HandoverError::Refused {
                program: call.program.into(),
                source,
            }),
        },
        Ok(Heard::Silence) => Some(no_plan(format!(
            "it said nothing for {} s",
            call.patience.as_secs()
        ))),
        Ok(Heard::TooMuch) => Some(no_plan(format!("it said more than {ANSWER_LIMIT} bytes"))),
        Err(error) => Some(error),
    };
    if let Some(refused) = refused {
        // it was not let go on, so there is nothing that it could leave half done
        let _ = child.kill();
        let _ = child.wait();
        return Err(refused);
    }
    // one that has ended meanwhile is told by its status
    let _ = go.write_all(&[GO]);
    drop(go);
    wait(&mut child, call.interrupt).map_err(failed)
}

/// Whether a program that ended has said itself why: not by a signal, and not with success.
fn is_own_failure(status: ExitStatus) -> bool {
    status.signal().is_none() && !status.success()
}

struct Spawned {
    child: Child,
    go: File,
    answers: File,
}

fn spawn(call: &Call<'_>) -> io::Result<Spawned> {
    if call.request.len() as u64 > REQUEST_LIMIT {
        return Err(io::Error::other("the request is too long"));
    }
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let mut request = File::from(rustix::fs::memfd_create("request", flags)?);
    request.write_all(call.request)?;
    let (go_there, go) = pipe()?;
    let (answers, answers_there) = pipe()?;
    let given = [
        request.as_fd(),
        go_there.as_fd(),
        answers_there.as_fd(),
        call.lock.as_fd(),
    ];
    let numbers: Vec<String> = given.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
    let mut command = Command::new(call.program);
    command
        .args(call.words)
        .arg(HANDOVER_OPTION)
        .arg(numbers.join(","))
        .current_dir("/");
    for fd in given {
        fcntl_setfd(fd, FdFlags::empty())?;
    }
    let child = command.spawn();
    // nobody else who is started meanwhile or later shall hold it
    fcntl_setfd(call.lock.as_fd(), FdFlags::CLOEXEC)?;
    Ok(Spawned {
        child: child?,
        go: go.into(),
        answers: answers.into(),
    })
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

enum Heard {
    Answer(Vec<u8>),
    Ended(ExitStatus),
    Silence,
    TooMuch,
}

/// Waits for the line that says what would be done.
fn hear(child: &mut Child, mut answers: &File, call: &Call<'_>) -> io::Result<Heard> {
    let deadline = Instant::now() + call.patience;
    let mut heard = Vec::new();
    loop {
        // first whether it ended, then what it had said: nothing is missed
        let ended = child.try_wait()?;
        let says = is_readable(answers)?;
        if says {
            let mut chunk = [0; 4096];
            let count = answers.read(&mut chunk)?;
            heard.extend_from_slice(chunk.get(..count).unwrap_or_default());
            if heard.len() > ANSWER_LIMIT {
                return Ok(Heard::TooMuch);
            }
            if heard.contains(&b'\n') {
                return Ok(Heard::Answer(heard));
            }
            if count > 0 {
                continue;
            }
        }
        if let Some(status) = ended {
            return Ok(Heard::Ended(status));
        }
        if Instant::now() >= deadline {
            return Ok(Heard::Silence);
        }
        if says {
            // it has closed its end, and is about to end itself
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn is_readable(file: &File) -> io::Result<bool> {
    let mut polled = [PollFd::new(file, PollFlags::IN)];
    match poll(&mut polled, Some(&PAUSE)) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let [polled] = &polled;
    Ok(polled
        .revents()
        .intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR))
}

/// Waits for its end, and passes a signal on once.
fn wait(child: &mut Child, interrupt: &AtomicBool) -> io::Result<ExitStatus> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("a child without a pid"))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let mut passed_on = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if interrupt.load(Ordering::Relaxed) && !passed_on {
            passed_on = true;
            // it is not reaped yet, so the number is its own
            let _ = kill_process(pid, Signal::TERM);
        }
        let mut polled = [PollFd::new(&pidfd, PollFlags::IN)];
        match poll(&mut polled, Some(&PAUSE)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The called program's side.
#[derive(Debug)]
pub struct Called {
    /// What it is asked.
    pub request: Vec<u8>,
    go: File,
    answers: File,
}

impl Called {
    /// Takes over from the caller, by the numbers in the last argument; the lock is that at `lock`.
    ///
    /// # Errors
    /// [`HandoverError::NotCalled`], when there is no caller that holds the lock.
    pub fn take_over(numbers: &str, lock: &Path) -> Result<(Self, Lock), HandoverError> {
        Self::open(numbers, lock).map_err(HandoverError::NotCalled)
    }

    fn open(numbers: &str, lock: &Path) -> io::Result<(Self, Lock)> {
        // one that has gone already is found out by `agree`
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        let wrong = || io::Error::other("four descriptors are expected");
        let numbers: Vec<u32> = numbers
            .split(',')
            .map(|number| number.parse().map_err(|_| wrong()))
            .collect::<io::Result<_>>()?;
        let [request, go, answers, held] = numbers[..] else {
            return Err(wrong());
        };
        let path = |number: u32| PathBuf::from(format!("/proc/self/fd/{number}"));
        let lock = Lock::inherited(held, lock).map_err(|error| match error {
            LockError::File { source, .. } => source,
            LockError::Held { .. } => io::Error::other("somebody else holds the lock"),
        })?;
        let mut bytes = Vec::new();
        File::open(path(request))?
            .take(REQUEST_LIMIT)
            .read_to_end(&mut bytes)?;
        let called = Self {
            request: bytes,
            go: File::open(path(go))?,
            answers: File::options().write(true).open(path(answers))?,
        };
        Ok((called, lock))
    }

    /// Says what would be done, in one line, and waits until the caller agrees.
    ///
    /// # Errors
    /// [`HandoverError::Left`]: then nothing may be changed.
    pub fn agree(&mut self, plan: &[u8]) -> Result<(), HandoverError> {
        let said = self
            .answers
            .write_all(plan)
            .and_then(|()| self.answers.write_all(b"\n"));
        let mut byte = [0];
        match said.and_then(|()| self.go.read_exact(&mut byte)) {
            Ok(()) if byte == [GO] => Ok(()),
            _ => Err(HandoverError::Left),
        }
    }
}

#[cfg(test)]
mod tests;
