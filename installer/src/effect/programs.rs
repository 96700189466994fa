//! Asking a program of a release for its version.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The longest that a program may take to print its version.
const BOUND: Duration = Duration::from_secs(10);

/// The most bytes that a version line may have.
const LINE_CAP: u64 = 4096;

/// A program that does not say its version.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It cannot be started or read.
    #[error("{} cannot be run", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It ended with a failure, or was ended because it took too long.
    #[error("{} --version {outcome}", program.display())]
    Outcome {
        /// The program.
        program: PathBuf,
        /// How it ended.
        outcome: String,
    },
}

/// Programs of a release.
pub trait Programs {
    /// What `PROGRAM --version` prints, newline included.
    fn version_line(&self, program: &Path) -> Result<String, ProgramError>;
}

/// Programs run on this machine: with an empty environment, no input, and a bound on time and
/// output.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostPrograms;

impl Programs for HostPrograms {
    fn version_line(&self, program: &Path) -> Result<String, ProgramError> {
        let failed = |source| ProgramError::Run {
            program: program.into(),
            source,
        };
        let mut child = Command::new(program)
            .arg("--version")
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let deadline = Instant::now() + BOUND;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                break status;
            }
            if Instant::now() >= deadline {
                child.kill().map_err(failed)?;
                child.wait().map_err(failed)?;
                return Err(ProgramError::Outcome {
                    program: program.into(),
                    outcome: format!("took longer than {} s", BOUND.as_secs()),
                });
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if !status.success() {
            return Err(ProgramError::Outcome {
                program: program.into(),
                outcome: format!("ended with {status}"),
            });
        }
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            output
                .take(LINE_CAP)
                .read_to_string(&mut line)
                .map_err(failed)?;
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_run_without_our_environment() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("tell");
        // the environment as the kernel gave it to the shell (proc_pid_environ(5))
        std::fs::write(&program, "#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ\n")
            .expect("a script");
        for path in [folder.path(), &program] {
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(path, mode).expect("a mode");
        }
        let told = HostPrograms.version_line(&program).expect("it runs");
        assert!(
            std::env::vars_os().count() > 1,
            "nothing could be passed on"
        );
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let passed_on = told
                .lines()
                .any(|line| line.starts_with(&format!("{name}=")));
            assert!(!passed_on, "{name} was passed on");
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
}
