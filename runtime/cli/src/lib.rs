//! The command line of banger: the only module that prints.
//!
//! Guarantees: every failure is one `error:` line with its causes and a hint, and an exit code of
//! its own kind; nothing is asked without a terminal.

mod arguments;
mod caller;
mod candidate;
mod carry_out;
mod check;
mod download;
mod dry_run;
mod failure;
mod handed;
pub mod health;
mod host;
mod man;
mod preview;
mod probation;
pub mod product;
mod question;
mod report;
mod root;
mod screen;
mod source;
mod status;
mod system;
mod update;
pub mod vm;

use std::ffi::OsString;
use std::process::ExitCode;

use banger_installer::error_kind::ErrorKind;
use clap::CommandFactory as _;

use arguments::{Arguments, Command};
pub use failure::Failure;
pub use screen::{Screen, Tone};

use banger_jail as jail;
use banger_product::build::{self, Build};
use banger_protocol as protocol;
use banger_vms::{protected, storage, vm_uids};

/// Runs `banger` with the process's arguments.
pub fn main(build: &Build) -> ExitCode {
    let screen = Screen::new();
    match dispatch(build, &screen, std::env::args_os()) {
        Ok(code) => code,
        Err(failure) => {
            failure.print(&screen);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn dispatch(
    build: &Build,
    screen: &Screen,
    words: impl Iterator<Item = OsString>,
) -> Result<ExitCode, Failure> {
    let matches = Arguments::command()
        .version(build.version)
        .try_get_matches_from(words);
    let arguments = match matches
        .and_then(|found| <Arguments as clap::FromArgMatches>::from_arg_matches(&found))
    {
        Ok(arguments) => arguments,
        Err(error) => {
            // help and version come this way too; clap knows which stream and which code
            let _ = error.print();
            return Ok(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)));
        }
    };
    match arguments.command {
        Command::System(command) => system::run(command, build, screen),
        Command::Update(options) => update::run(&options, build, screen),
        Command::Vm(command) => match vm::run(command, &vm::Context::of_host()) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(error) => Err(Failure::new(&error, error.hint(), error.kind())),
        },
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            // into memory: clap_complete panics when a reader goes away
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "banger", &mut script);
            screen.raw(String::from_utf8_lossy(&script).trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { directory } => write_man_pages(build, &directory),
    }
}

fn write_man_pages(build: &Build, directory: &std::path::Path) -> Result<ExitCode, Failure> {
    let command = Arguments::command().version(build.version);
    man::write(command, build, directory).map_err(|error| {
        Failure::plain(
            format!(
                "cannot write man pages into {}: {error}",
                directory.display()
            ),
            Some(format!("mkdir -p {}", directory.display())),
            ErrorKind::BadInput,
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
