//! `banger update`.

use std::process::{ExitCode, ExitStatus};

use banger_installer::error_kind::ErrorKind;
use banger_installer::model::{InstallMethod, Receipt};
use banger_installer::plan::{Judgement, Operation};
use banger_installer::toolkit::{
    HANDOVER, HandedUpdate, InstallRequest, Outcome, Planner, Prepared, Preview, ReleaseFolder,
    Request, RollbackRequest, Toolkit, UpdateRequest,
};

use super::arguments::{DryRunOptions, UpdateOptions};
use super::carry_out::HandedOptions;
use super::host::Host;
use super::offer::{Offer, look};
use super::preview::{announce, announce_rollback};
use super::question::Question;
use super::release::Staged;
use super::report::{ScreenReport, told_of_guests};
use super::{Failure, Screen, caller, check, dry_run, root};
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
    let mut toolkit = Toolkit::begin(&host.product, host.effects(), &mut report)?;
    let receipt = toolkit.receipt()?;
    refuse_foreign(&receipt)?;
    caller::require_user(&receipt.owner)?;
    let offer = look(options, build, &host, &receipt, &|keys| {
        toolkit.planner().remember_keys(keys)
    })?;
    // before anything is done with it: what was seen once is never forgotten
    if let Some(seen) = &offer.seen {
        toolkit.remember(seen)?;
    }
    match refuse_older(&offer, &receipt)? {
        Judgement::Take => take(options, &offer, &receipt, &mut toolkit, &host, screen),
        judgement => {
            mend(options, &mut toolkit, &host, &receipt, screen)?;
            screen.line(&nothing_to_take(&judgement, &offer, &receipt));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The judgement; an older version that was asked for by its name is an error, not an answer.
fn refuse_older(offer: &Offer, receipt: &Receipt) -> Result<Judgement, Failure> {
    let judgement = offer.judge(receipt);
    if judgement != Judgement::Older || !offer.was_asked_for() {
        return Ok(judgement);
    }
    let (installed, offered) = (&receipt.version, &offer.manifest.version);
    Err(Failure::plain(
        format!("{offered} is older than {installed}, which is installed"),
        Some(format!(
            "sudo banger update --version {offered} --allow-downgrade"
        )),
        ErrorKind::Refused,
    ))
}

/// Why an offer is not taken, in a line.
pub(super) fn nothing_to_take(judgement: &Judgement, offer: &Offer, receipt: &Receipt) -> String {
    let (installed, offered) = (&receipt.version, &offer.manifest.version);
    let channel = &offer.manifest.channel;
    match judgement {
        Judgement::LeftBefore(left) => {
            let why = left
                .why
                .as_ref()
                .map_or(String::new(), |why| format!(" ({why})"));
            format!(
                "banger {offered} was rolled back here on {}{why}; to install it all the same: \
                 sudo banger update --version {offered}",
                left.at.strftime("%Y-%m-%d")
            )
        }
        Judgement::Older => format!(
            "banger {installed} is newer than {offered}, the newest release of channel {channel}; \
             to go down: sudo banger update --channel {channel} --allow-downgrade"
        ),
        Judgement::Installed if offer.was_asked_for() => format!("banger {installed} is installed"),
        Judgement::Installed | Judgement::Take => {
            format!("banger {installed} is the newest release of channel {channel}")
        }
    }
}

/// Fetches what is offered. A release that says what it consists of plans for itself; for any other
/// this program tells what it changes, asks, and updates.
fn take(
    options: &UpdateOptions,
    offer: &Offer,
    receipt: &Receipt,
    toolkit: &mut Toolkit<'_>,
    host: &Host,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    // a release that is refused or fails is not kept; the next try fetches it anew
    let clear = || drop(fs_err::remove_dir_all(host.product.layout.staging()));
    let taken = offer
        .stage(&host.product, receipt, screen)
        .and_then(|staged| match &staged.list {
            Some(list) => {
                host.hold_signals()?;
                let handed = handed(options, offer, &staged)?;
                let status = toolkit.planner().hand_over(handed, list)?;
                ended(status)
            }
            None => take_by_own_plan(options, offer, &staged, receipt, toolkit, host, screen),
        });
    // what was taken has left it, and anything else is of no use any more
    clear();
    taken
}

/// The update as it is handed to the release's own program.
fn handed(
    options: &UpdateOptions,
    offer: &Offer,
    staged: &Staged,
) -> Result<HandedUpdate, Failure> {
    let manifest = &offer.manifest;
    let options_for_it = serde_json::to_value(HandedOptions::of(options))
        .map_err(|error| Failure::new(&error, None, ErrorKind::Other))?;
    Ok(HandedUpdate {
        handover: HANDOVER,
        release: staged.path.clone(),
        version: manifest.version.clone(),
        channel: manifest.channel.clone(),
        sequence: manifest.sequence,
        released: manifest.released,
        signed_by: manifest.signed_by().to_vec(),
        urgency: manifest.urgency,
        notes: manifest.notes.clone(),
        stop_guests: options.stop_guests,
        options: options_for_it,
    })
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

/// A release from before releases planned for themselves.
fn take_by_own_plan(
    options: &UpdateOptions,
    offer: &Offer,
    staged: &Staged,
    receipt: &Receipt,
    toolkit: &mut Toolkit<'_>,
    host: &Host,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    let request = Request::Update(own_request(options, offer, staged, receipt, host));
    let prepared = toolkit.planner().prepare(request)?;
    let handed = handed(options, offer, staged)?;
    ask_and_execute(toolkit, prepared, options.yes, host, screen, &|preview| {
        announce(&handed, receipt, preview, screen);
    })
}

/// Shows what would be done, asks unless that was answered on the command line, and does it.
pub(super) fn ask_and_execute(
    toolkit: &mut Toolkit<'_>,
    prepared: Prepared,
    yes: bool,
    host: &Host,
    screen: &Screen,
    show: &dyn Fn(&Preview),
) -> Result<ExitCode, Failure> {
    let text = "Continue?";
    let agreed = Question { text, yes }.settle(toolkit, prepared, screen, show)?;
    if let Some(prepared) = agreed {
        host.hold_signals()?;
        conclude(&toolkit.execute(prepared)?, screen);
    }
    Ok(ExitCode::SUCCESS)
}

fn own_request(
    options: &UpdateOptions,
    offer: &Offer,
    staged: &Staged,
    receipt: &Receipt,
    host: &Host,
) -> UpdateRequest {
    UpdateRequest {
        release: ReleaseFolder {
            path: staged.path.clone(),
            version: offer.manifest.version.clone(),
        },
        values: host.unit_values(&receipt.owner),
        channel: offer.manifest.channel.clone(),
        sequence: offer.manifest.sequence,
        released: offer.manifest.released,
        stop_guests: options.stop_guests,
    }
}

/// `--dry-run`: what an update would do. The release is fetched and verified for it, and thrown away.
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
    let offer = look(options, build, host, &receipt, &|keys| {
        planner.remember_keys(keys)
    })?;
    if refuse_older(&offer, &receipt)? != Judgement::Take {
        let request = Request::Install(as_installed(options, &receipt, host));
        let prepared = planner.prepare(request)?;
        dry_run::show(prepared.preview(), showing(options), screen)?;
        return Ok(ExitCode::SUCCESS);
    }
    let quiet = Screen::silent();
    let told = if options.json { &quiet } else { screen };
    let shown = offer
        .stage(&host.product, &receipt, told)
        .and_then(|staged| {
            if let Some(list) = &staged.list {
                return ended(planner.hand_over(handed(options, &offer, &staged)?, list)?);
            }
            let request = own_request(options, &offer, &staged, &receipt, host);
            let prepared = planner.prepare(Request::Update(request))?;
            dry_run::show(prepared.preview(), showing(options), screen)?;
            Ok(ExitCode::SUCCESS)
        });
    drop(fs_err::remove_dir_all(host.product.layout.staging()));
    shown
}

const fn showing(options: &UpdateOptions) -> DryRunOptions {
    DryRunOptions {
        dry_run: options.dry_run,
        json: options.json,
    }
}

/// `--rollback`.
fn roll_back(options: &UpdateOptions, host: &Host, screen: &Screen) -> Result<ExitCode, Failure> {
    let request = |receipt: &Receipt| RollbackRequest {
        values: host.unit_values(&receipt.owner),
        why: None,
        stop_guests: options.stop_guests,
    };
    if options.dry_run {
        let planner = Planner::look(&host.product, host.effects())?;
        let request = request(&planner.receipt()?);
        let prepared = planner.prepare(Request::Rollback(request))?;
        dry_run::show(prepared.preview(), showing(options), screen)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = ScreenReport::new(screen);
    let mut toolkit = Toolkit::begin(&host.product, host.effects(), &mut report)?;
    let receipt = toolkit.receipt()?;
    refuse_foreign(&receipt)?;
    caller::require_user(&receipt.owner)?;
    let request = Request::Rollback(request(&receipt));
    let prepared = toolkit.planner().prepare(request)?;
    ask_and_execute(
        &mut toolkit,
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
    toolkit: &mut Toolkit<'_>,
    host: &Host,
    receipt: &Receipt,
    screen: &Screen,
) -> Result<(), Failure> {
    host.hold_signals()?;
    let outcome = toolkit.install(&as_installed(options, receipt, host))?;
    if let Outcome::Changed(summary) = outcome {
        let follows = options
            .channel
            .as_ref()
            .filter(|channel| **channel != receipt.channel);
        if let Some(channel) = follows {
            screen.line(&format!("Channel {channel} is followed from now on."));
        }
        if summary.plan.steps.len() > usize::from(follows.is_some()) {
            screen.line("What was stale has been repaired.");
        }
    }
    Ok(())
}

/// What is installed, as something to install.
fn as_installed(options: &UpdateOptions, receipt: &Receipt, host: &Host) -> InstallRequest {
    InstallRequest {
        owner: receipt.owner.clone(),
        release: ReleaseFolder {
            path: host.product.layout.version(&receipt.version),
            version: receipt.version.clone(),
        },
        values: host.unit_values(&receipt.owner),
        channel: options.channel.clone(),
        auto_update: None,
        method: receipt.method,
        stop_guests: options.stop_guests,
    }
}

fn conclude(outcome: &Outcome, screen: &Screen) {
    match outcome {
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
        }
    }
}
