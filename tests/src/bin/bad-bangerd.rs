//! The daemons of a bad release: sound ones, but for the way of being bad that their unit names.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a stand-in program; the journal tells what it did"
)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use banger_cli::health;
use banger_jail::{GATE_OPTION, pass_gate};
use banger_product::HELPER_SERVICE;
use banger_protocol::{GraceSeconds, StopVm};
use banger_runtime::daemon::{DaemonError, run_helper, run_owner};
use banger_tests::support::bad::{Bad, FALSE_VERSION, GUEST, LATER_SCHEMA, VARIABLE};
use banger_tests::support::releases::BROKEN_VERSION;
use banger_vms::protected::InstalledGuests;
use banger_vms::storage::Places;

/// What an updater has on the disk as long as it is in progress.
const JOURNAL: &str = "/var/lib/banger-install/journal.json";

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let run = match argument.as_str() {
        "--version" => {
            println!("bangerd {BROKEN_VERSION}");
            return ExitCode::SUCCESS;
        }
        // what its own helper makes of it for each VM
        GATE_OPTION => {
            let words: Vec<_> = std::env::args_os().skip(2).collect();
            return match pass_gate(&words) {
                Ok(never) => match never {},
                Err(error) => {
                    eprintln!("{error}");
                    ExitCode::FAILURE
                }
            };
        }
        "--root-helper" => run_helper,
        _ => run_owner,
    };
    let word = std::env::var(VARIABLE).unwrap_or_default();
    misbehave(Bad::from_word(&word), run).unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn misbehave(bad: Option<Bad>, run: fn(&str) -> Result<(), DaemonError>) -> Outcome {
    let sound = || run(BROKEN_VERSION).map(|()| ExitCode::SUCCESS);
    let Some(bad) = bad else { return Ok(sound()?) };
    eprintln!("{}", bad.confession());
    match bad {
        Bad::Exits => Ok(ExitCode::FAILURE),
        Bad::HangsAtStart => loop {
            std::thread::park();
        },
        Bad::WrongVersion => {
            std::thread::sleep(Duration::from_secs(5));
            run(FALSE_VERSION)?;
            Ok(ExitCode::SUCCESS)
        }
        Bad::Forgets => Ok(sound()?),
        Bad::Loops => {
            when(move || answers(bad), || std::process::exit(1));
            Ok(sound()?)
        }
        Bad::DiesLater => {
            when(update_is_over, || std::process::exit(1));
            Ok(sound()?)
        }
        Bad::LeavesLater => {
            when(update_is_over, || std::process::exit(0));
            Ok(sound()?)
        }
        Bad::HangsLater => {
            when(update_is_over, || {
                let this = rustix::process::getpid();
                rustix::process::kill_process(this, rustix::process::Signal::STOP)
            });
            Ok(sound()?)
        }
        // EX_CONFIG (sysexits.h), which the units know
        Bad::CannotRead => Ok(ExitCode::from(78)),
        Bad::KillsGuests => {
            kill_guests()?;
            Ok(sound()?)
        }
        Bad::AsksForStop => {
            match ask_for_stop() {
                Ok(()) => eprintln!("{GUEST} was stopped"),
                // none runs, or not yet
                Err(error) => eprintln!("{GUEST} was not stopped: {error}: {:?}", error.source()),
            }
            Ok(sound()?)
        }
        Bad::WritesLaterSchema => {
            write_later_schema()?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Acts once something has happened, beside the daemon.
fn when<T: Send + 'static>(
    happened: impl Fn() -> bool + Send + 'static,
    act: impl FnOnce() -> T + Send + 'static,
) {
    std::thread::spawn(move || {
        while !happened() {
            std::thread::sleep(Duration::from_millis(20));
        }
        act()
    });
}

fn answers(bad: Bad) -> bool {
    let unit = bad.unit().parse().ok();
    unit.is_some_and(|unit| health::probe(&unit, Duration::from_secs(5)).is_ok())
}

fn update_is_over() -> bool {
    !Path::new(JOURNAL).exists()
}

fn kill_guests() -> Result<(), Box<dyn std::error::Error>> {
    for guest in InstalledGuests::of_host().list()? {
        let pid = i32::try_from(guest.identity.pid)?;
        let pid = rustix::process::Pid::from_raw(pid).ok_or("no pid")?;
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
        eprintln!("{} was killed", guest.name);
    }
    Ok(())
}

fn ask_for_stop() -> Result<(), Box<dyn std::error::Error>> {
    let which = StopVm {
        name: GUEST.parse()?,
        grace_seconds: GraceSeconds::default(),
    };
    let bound = Duration::from_secs(20);
    Ok(health::stop(&HELPER_SERVICE.parse()?, which, bound)?)
}

fn write_later_schema() -> Result<(), Box<dyn std::error::Error>> {
    for entry in fs_err::read_dir(Places::of_host().vms())? {
        let path = entry?.path().join("record.json");
        let mut record: serde_json::Value = serde_json::from_slice(&fs_err::read(&path)?)?;
        if let Some(schema) = record.get_mut("schema") {
            *schema = LATER_SCHEMA.into();
        }
        fs_err::write(&path, serde_json::to_vec(&record)?)?;
        eprintln!("{} has schema {LATER_SCHEMA} now", path.display());
    }
    Ok(())
}
