//! `banger update`.

use std::process::{ExitCode, ExitStatus};

use banger_installer::error_kind::ErrorKind;
use banger_installer::model::{InstallMethod, Receipt};
use banger_installer::plan::{Decision, Operation};
use banger_installer::toolkit::{
    InstallRequest, Outcome, Planner, Prepared, Preview, ReleaseFolder, Request, RollbackRequest,
    Session,
};
use banger_installer::updater::{Candidate, Look, Staged};

use super::arguments::{DryRunOptions, UpdateOptions};
use super::candidate::{nothing_to_take, updater};
use super::download::download;
use super::handed::HandedOptions;
use super::host::Host;
use super::preview::{announce, announce_rollback};
use super::question::Question;
use super::report::{ScreenReport, told_of_guests};
use super::{Failure, Screen, caller, check, dry_run, measured, root};
use crate::build::Build;

/// The file beside a packaged program that holds the command which updates the package.
const INSTRUCTIONS: &str = "self-update-instructions";

pub(super) fn run(
    options: &UpdateOptions,
    build: &Build,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    if let Some(command) = package_instructions() {
        screen.line("banger was installed by a package; to update it, type:");
        screen.line(&format!("  {}", command.trim()));
        return Ok(ExitCode::SUCCESS);
    }
    root::enter()?;
    let host = Host::connect()?;
    let quiet = Screen::for_json();
    let screen = if options.json { &quiet } else { screen };
    if options.check {
        return check::run(options, build, screen, &host);
    }
    if options.rollback {
        return roll_back(options, &host, screen);
    }
    if options.dry_run {
        return look_ahead(options, build, &host, screen);
    }
    let mut report = ScreenReport::new(screen);
    let mut session = Session::begin(&host.product, host.effects(), &mut report)?;
    let receipt = session.receipt()?;
    refuse_foreign(&receipt)?;
    caller::require_user(&receipt.owner)?;
    let candidate = updater(options, build, &host).check(&session)?;
    refuse_older(&candidate)?;
    if *candidate.decision() == Decision::Take {
        return take(options, &candidate, &mut session, &host, screen);
    }
    mend(options, &mut session, &host, &receipt, screen)?;
    screen.line(&nothing_to_take(&candidate));
    Ok(ExitCode::SUCCESS)
}

/// An older version that was asked for by its name is an error, not an answer.
fn refuse_older(candidate: &Candidate<'_>) -> Result<(), Failure> {
    if *candidate.decision() != Decision::Older || !candidate.was_asked_for() {
        return Ok(());
    }
    let installed = &candidate.installed().version;
    let offered = &candidate.manifest().version;
    Err(Failure::plain(
        format!("{offered} is older than {installed}, which is installed"),
        Some(format!(
            "sudo banger update --version {offered} --allow-downgrade"
        )),
        ErrorKind::Refused,
    ))
}

/// Takes a release. One that says what it consists of plans for itself; for any other this program
/// tells what it changes, asks, and updates.
fn take(
    options: &UpdateOptions,
    candidate: &Candidate<'_>,
    session: &mut Session<'_>,
    host: &Host,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    let staged = download(candidate, session.planner(), screen)?;
    if staged.plans_for_itself() {
        host.hold_signals()?;
        return hand_over(options, &staged, session.planner());
    }
    let receipt = candidate.installed();
    let values = host.unit_values(&receipt.owner);
    let planner = session.planner();
    let prepared = planner.plan(&staged, values, options.stop_guests)?;
    ask_and_execute(session, prepared, options.yes, host, screen, &|preview| {
        announce(staged.info(), receipt, preview, screen);
    })
}

/// Has the release's own program plan, show and carry out the update.
fn hand_over(
    options: &UpdateOptions,
    staged: &Staged<'_>,
    planner: &Planner<'_>,
) -> Result<ExitCode, Failure> {
    let told = serde_json::to_value(HandedOptions::of(options))
        .map_err(|error| Failure::new(&error, None, ErrorKind::Other))?;
    ended(planner.hand_over(staged, options.stop_guests, told)?)
}

/// The exit code of the release's own program, which has said all that there is to say, unless it was
/// ended by a signal.
fn ended(status: ExitStatus) -> Result<ExitCode, Failure> {
    use std::os::unix::process::ExitStatusExt as _;
    if let Some(code) = status.code() {
        return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
    }
    let signal = status.signal().unwrap_or_default();
    // it holds both once it has begun: this one ended at its question
    if [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM].contains(&signal) {
        return Ok(ExitCode::from(ErrorKind::Interrupted.exit_code()));
    }
    Err(Failure::plain(
        format!(
            "the new version's program was ended by signal {signal} in the middle of the update"
        ),
        Some("what it had begun is rolled back by itself: sudo banger system status".into()),
        ErrorKind::Other,
    ))
}

/// Shows what would be done, asks unless that was answered on the command line, and does it.
pub(super) fn ask_and_execute(
    session: &mut Session<'_>,
    prepared: Prepared,
    yes: bool,
    host: &Host,
    screen: &Screen,
    show: &dyn Fn(&Preview),
) -> Result<ExitCode, Failure> {
    let text = "Continue?";
    let agreed = Question { text, yes }.settle(session, prepared, screen, show)?;
    if let Some(prepared) = agreed {
        host.hold_signals()?;
        if let Some(client) = measured::api_client() {
            session.probe_with(client);
        }
        conclude(&prepared.execute(session)?, screen);
    }
    Ok(ExitCode::SUCCESS)
}

/// `--dry-run`: what an update would do. The release is fetched and verified for it, and thrown away;
/// what was learnt of keys and releases counts for this time alone.
fn look_ahead(
    options: &UpdateOptions,
    build: &Build,
    host: &Host,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    let planner = Planner::look(&host.product, host.effects())?;
    let receipt = planner.receipt()?;
    refuse_foreign(&receipt)?;
    caller::require_user(&receipt.owner)?;
    let look = Look::new(&host.product, host.effects());
    let candidate = updater(options, build, host).check(&look)?;
    refuse_older(&candidate)?;
    let prepared = if *candidate.decision() == Decision::Take {
        let quiet = Screen::silent();
        let told = if options.json { &quiet } else { screen };
        let staged = download(&candidate, &planner, told)?;
        if staged.plans_for_itself() {
            return hand_over(options, &staged, &planner);
        }
        let values = host.unit_values(&receipt.owner);
        planner.plan(&staged, values, options.stop_guests)?
    } else {
        planner.prepare(Request::Install(as_installed(options, &receipt, host)))?
    };
    dry_run::show(prepared.preview(), showing(options), screen)?;
    Ok(ExitCode::SUCCESS)
}

const fn showing(options: &UpdateOptions) -> DryRunOptions {
    DryRunOptions {
        dry_run: options.dry_run,
        json: options.json,
    }
}

/// `--rollback`.
fn roll_back(options: &UpdateOptions, host: &Host, screen: &Screen) -> Result<ExitCode, Failure> {
    let request = |receipt: &Receipt| {
        RollbackRequest::new(host.unit_values(&receipt.owner)).stop_guests(options.stop_guests)
    };
    if options.dry_run {
        let planner = Planner::look(&host.product, host.effects())?;
        let request = request(&planner.receipt()?);
        let prepared = planner.prepare(Request::Rollback(request))?;
        dry_run::show(prepared.preview(), showing(options), screen)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = ScreenReport::new(screen);
    let mut session = Session::begin(&host.product, host.effects(), &mut report)?;
    let receipt = session.receipt()?;
    refuse_foreign(&receipt)?;
    caller::require_user(&receipt.owner)?;
    let request = Request::Rollback(request(&receipt));
    let prepared = session.planner().prepare(request)?;
    ask_and_execute(
        &mut session,
        prepared,
        options.yes,
        host,
        screen,
        &|preview| announce_rollback(&receipt, preview, screen),
    )
}

/// The command that updates a packaged banger, when the package left one beside the program.
fn package_instructions() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    fs_err::read_to_string(program.parent()?.join(INSTRUCTIONS)).ok()
}

fn refuse_foreign(receipt: &Receipt) -> Result<(), Failure> {
    let by = match receipt.method {
        InstallMethod::SelfInstalled => return Ok(()),
        InstallMethod::Deb => "dpkg",
        InstallMethod::Rpm => "rpm",
        InstallMethod::Other => "a package manager",
    };
    Err(Failure::plain(
        format!("banger was installed by {by}, which updates it"),
        Some("use the package manager".into()),
        ErrorKind::NotPermitted,
    ))
}

/// There is nothing newer: then what is installed is at least made what it should be.
fn mend(
    options: &UpdateOptions,
    session: &mut Session<'_>,
    host: &Host,
    receipt: &Receipt,
    screen: &Screen,
) -> Result<(), Failure> {
    host.hold_signals()?;
    let outcome = session.install(&as_installed(options, receipt, host))?;
    if screen.is_json() {
        measured::print_json(&outcome, screen);
    } else if let Outcome::Changed(summary) = outcome {
        let follows = options
            .channel
            .as_ref()
            .filter(|channel| **channel != receipt.channel);
        if let Some(channel) = follows {
            screen.line(&format!("Channel {channel} is followed from now on."));
        }
        if summary.plan.steps.len() > usize::from(follows.is_some()) {
            let guests = told_of_guests(&summary);
            screen.line(&format!("What was stale has been mended; {guests}."));
            measured::tell(&summary, screen);
        }
    }
    Ok(())
}

/// What is installed, as something to install.
fn as_installed(options: &UpdateOptions, receipt: &Receipt, host: &Host) -> InstallRequest {
    let folder = host.product.layout.version(&receipt.version);
    let release = ReleaseFolder::new(folder, receipt.version.clone());
    let values = host.unit_values(&receipt.owner);
    let mut request = InstallRequest::new(receipt.owner.clone(), release, values)
        .stop_guests(options.stop_guests);
    request.channel.clone_from(&options.channel);
    request.method = receipt.method;
    request
}

fn conclude(outcome: &Outcome, screen: &Screen) {
    match outcome {
        _ if screen.is_json() => measured::print_json(outcome, screen),
        Outcome::Unchanged => screen.line("Nothing had to be changed."),
        Outcome::Changed(summary) => {
            let version = summary
                .version
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let guests = told_of_guests(summary);
            let what = match summary.plan.operation {
                Operation::Rollback => "Back at",
                _ => "Updated to",
            };
            screen.line(&format!("\n{what} {version}; {guests}."));
            measured::tell(summary, screen);
        }
    }
}
