//! banger's daemons: the owner daemon and the root helper, chosen by an option.

use std::process::ExitCode;

use banger_runtime::daemon::{DaemonError, run_helper, run_owner};
use banger_runtime::jail::{GATE_OPTION, pass_gate};
use clap::Parser;

/// What was decided when this program was built; see [`banger_runtime::build`].
const VERSION: &str = banger_runtime::build!().version;

/// banger's daemons. Started by systemd; see bangerd.service and bangerd-root.service.
#[derive(Debug, Parser)]
#[command(name = "bangerd", version = VERSION)]
#[group(required = true, multiple = false)]
struct Arguments {
    /// Run the owner daemon, as the owner.
    #[arg(long)]
    system: bool,
    /// Run the privileged helper, as root.
    #[arg(long)]
    root_helper: bool,
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == GATE_OPTION) {
        return be_gate(&words.collect::<Vec<_>>());
    }
    let arguments = Arguments::parse();
    log_to_journal();
    let ended = if arguments.root_helper {
        run_helper(VERSION)
    } else {
        run_owner(VERSION)
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// What the helper makes of this program when it starts a VM; nobody types it.
fn be_gate(words: &[std::ffi::OsString]) -> ExitCode {
    log_to_journal();
    match pass_gate(words) {
        Ok(never) => match never {},
        Err(error) => {
            tracing::error!("cannot become the jailer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn log_to_journal() {
    // the journal adds time and unit to each line
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_max_level(tracing::Level::INFO)
        .init();
}

fn log(error: &DaemonError) {
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(reason) = cause {
        line.push_str(": ");
        line.push_str(&reason.to_string());
        cause = reason.source();
    }
    tracing::error!("{line}");
    if let Some(hint) = error.hint() {
        tracing::error!("hint: {hint}");
    }
}
