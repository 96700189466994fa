//! Running a program and reading what it said.
//!
//! Guarantees: standard input is empty, both outputs are kept, a wait has a bound.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Error, Result};

/// What a program said and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output, as UTF-8 with replacements.
    pub stdout: String,
    /// Standard error, as UTF-8 with replacements.
    pub stderr: String,
}

impl Output {
    /// Exit code 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Standard output of a program that succeeded, without white space at its ends.
    pub fn ok(self) -> Result<String> {
        if self.success() {
            return Ok(self.stdout.trim().to_owned());
        }
        Err(self.into())
    }

    /// All that a program said which ended with this exit code.
    pub fn exited(&self, code: i32) -> Result<String> {
        if self.code == Some(code) {
            return Ok(self.text());
        }
        Err(self.clone().into())
    }

    /// Standard output, standard error and exit code on one page.
    pub fn text(&self) -> String {
        let mut text = format!("{}{}", self.stdout, self.stderr);
        let _ = write!(text, "[{}]", status(self.code));
        text
    }
}

impl From<Output> for Error {
    fn from(output: Output) -> Self {
        Self::Command {
            status: status(output.code),
            output: format!("{}{}", output.stdout, output.stderr),
            command: output.command,
        }
    }
}

fn status(code: Option<i32>) -> String {
    code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"))
}

/// Runs `command` to its end with an empty standard input.
pub fn run(command: &mut Command) -> Result<Output> {
    let line = describe(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io(format!("run `{line}`")))?;
    Ok(Output {
        command: line,
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The command line as a person would read it.
pub fn describe(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// Asks `probe` every 20 ms until it gives a value. `Err` of the probe is "not yet", kept for the
/// message; after `seconds` it ends the wait.
pub fn wait_for<T>(
    what: &str,
    seconds: u64,
    mut probe: impl FnMut() -> Result<T, String>,
) -> Result<T> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() >= deadline => {
                return Err(Error::Late {
                    what: what.to_owned(),
                    seconds,
                    seen,
                });
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
