//! banger's daemons: the owner daemon and the root helper, chosen by an option.

use std::ffi::OsString;
use std::process::ExitCode;

use banger_installer_host::{StateAnswer, in_one_line};
use banger_jail::{GATE_OPTION, pass_gate};
use banger_runtime::arguments::{Arguments, HELP};
use banger_runtime::daemon::{DaemonError, run_helper, run_owner};
use banger_vms::storage::{Places, StorageError, check_state};

/// What was decided when this program was built; see [`mod@banger_product::build`].
const VERSION: &str = banger_product::build!().version;

/// The exit code for words that are not understood; `banger` has the same.
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if words.first().is_some_and(|word| word == GATE_OPTION) {
        return be_gate(words.get(1..).unwrap_or_default());
    }
    let run = match Arguments::parse(&words) {
        Ok(Arguments::Owner) => run_owner,
        Ok(Arguments::Helper) => run_helper,
        Ok(Arguments::CheckHelper) => return answer(check_state(Places::of_host())),
        // it keeps none: what it is asked for, the helper does
        Ok(Arguments::CheckOwner) => return answer(Ok(StateAnswer::Compatible)),
        Ok(Arguments::Version) => return say(&format!("bangerd {VERSION}\n")),
        Ok(Arguments::Help) => return say(HELP),
        Err(error) => {
            complain(&format!("error: {error}\n\n{HELP}"));
            return ExitCode::from(MISUSED);
        }
    };
    log_to_journal();
    match run(VERSION) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Who closes the other end has read enough.
fn say(text: &str) -> ExitCode {
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    ExitCode::SUCCESS
}

fn complain(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
}

/// Says in one line, and by the exit code, what this version makes of the state.
fn answer(found: Result<StateAnswer, StorageError>) -> ExitCode {
    match found {
        Ok(answer) => {
            say(&answer.to_line());
            ExitCode::from(answer.exit_code())
        }
        Err(error) => {
            complain(&format!("error: {}\n", in_one_line(&error)));
            ExitCode::FAILURE
        }
    }
}

/// What the helper makes of this program when it starts a VM; nobody types it.
fn be_gate(words: &[OsString]) -> ExitCode {
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
    tracing::error!("{}", in_one_line(error));
    if let Some(hint) = error.hint() {
        tracing::error!("hint: {hint}");
    }
}
