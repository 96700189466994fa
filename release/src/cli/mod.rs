//! The command line of the release tool: the only module of this crate that prints.
//!
//! Guarantees: every failure is one `error:` line with its causes and a hint, and an exit code of
//! its own kind; a secret is read from a file, a descriptor or the terminal and from nowhere else.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the module that prints"
)]

mod build;
mod key;
mod list;
mod publish;
mod script;
mod secrets;
mod verify;
mod withdraw;

use std::error::Error;
use std::process::ExitCode;

use banger_installer_host::error_kind::ErrorKind;
use banger_release::{CheckError, ReleaseError};
use clap::{Parser, Subcommand};

/// Makes keys and signed releases of banger, publishes, withdraws and checks them.
#[derive(Parser)]
#[command(
    name = "banger-release",
    version,
    after_help = "\
Examples:
  banger-release key make --out keys
  banger-release build --version 0.1.1 --channel stable --key keys/banger.key --out dist
  banger-release publish --release dist --to public
  banger-release verify public/stable --key keys/banger.pub
  banger-release COMMAND --help"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make keys, and the list of keys that sign releases
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Build both programs, pack them with the unit templates, sum and sign
    Build(Box<build::BuildArgs>),
    /// Put a built release into a folder for any static file server
    Publish(publish::PublishArgs),
    /// Write install.sh with the pins of a built release
    Script(script::ScriptArgs),
    /// Take the newest release back: the one before it is published again
    Withdraw(withdraw::WithdrawArgs),
    /// Check a published folder as a client would
    Verify(verify::VerifyArgs),
}

/// A failure as a person sees it.
enum Failure {
    Release(ReleaseError),
    Check(CheckError),
}

impl From<ReleaseError> for Failure {
    fn from(error: ReleaseError) -> Self {
        Self::Release(error)
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        Self::Check(error)
    }
}

impl Failure {
    fn parts(&self) -> (&dyn Error, Option<String>, ErrorKind) {
        match self {
            Self::Release(error) => (error, error.hint(), error.kind()),
            Self::Check(error) => (error, error.hint(), error.kind()),
        }
    }
}

/// Runs the process's arguments.
pub(crate) fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Key(command) => key::run(command),
        Command::Build(args) => build::run(*args),
        Command::Publish(args) => publish::run(args),
        Command::Withdraw(args) => withdraw::run(args),
        Command::Script(args) => script::run(args),
        Command::Verify(args) => verify::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (error, hint, kind) = failure.parts();
            complain(error, hint.as_deref());
            ExitCode::from(kind.exit_code())
        }
    }
}

fn complain(error: &dyn Error, hint: Option<&str>) {
    eprintln!("error: {error}");
    for cause in banger_installer_host::causes(error) {
        eprintln!("  cause: {cause}");
    }
    if let Some(hint) = hint {
        eprintln!("  hint:  {hint}");
    }
}
