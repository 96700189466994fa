//! What a VM's process does before it becomes the jailer: it waits.
//!
//! The helper spawns its own program as a gate. The gate holds nothing and does nothing until the
//! helper has pinned it, written it down and seen it in its own scope; then one byte lets it turn
//! into the jailer by exec, which keeps pid and start time. So no guest ever runs, or is charged
//! for its memory, in the helper's control group, and a helper that ends before that leaves no
//! process: the pipe closes, and the gate ends.
//!
//! It also leaves the host's network: the jailer and Firecracker inherit an empty network namespace
//! that nothing but they holds. Not a pid namespace, for two reasons: only children come into a new
//! one, so the process that was spawned would no longer be the VM's, and Firecracker would be its
//! init, which a signal without a handler does not end from inside.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};

use nix::sched::{CloneFlags, unshare};

/// The option of `bangerd` that makes it a gate. What follows is the jailer and its arguments.
pub const GATE_OPTION: &str = "--jail-gate";

/// What lets a process through.
const GO: u8 = b'\n';

/// Lets the process behind `gate` become the jailer.
///
/// # Errors
/// When the process is gone.
pub fn open(mut gate: ChildStdin) -> io::Result<()> {
    gate.write_all(&[GO])
}

/// Waits for [`open`], leaves the host's network and becomes `words`: a program and its arguments.
///
/// # Errors
/// What kept the process from that: the helper is gone, or the kernel refused.
pub fn pass(words: &[OsString]) -> io::Result<Infallible> {
    wait_for_go(io::stdin().lock())?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| io::Error::other("there is no program to become"))?;
    // the pipe that was waited at must not be the guest's console
    Err(Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .exec())
}

fn wait_for_go(mut pipe: impl Read) -> io::Result<()> {
    let mut byte = [0];
    pipe.read_exact(&mut byte)?;
    if byte == [GO] {
        Ok(())
    } else {
        Err(io::Error::other("the gate was given another byte"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_opens_the_gate_and_the_end_of_the_helper_does_not() {
        wait_for_go(&b"\n"[..]).unwrap();
        assert!(wait_for_go(&b""[..]).is_err());
        assert!(wait_for_go(&b"x\n"[..]).is_err());
    }
}
