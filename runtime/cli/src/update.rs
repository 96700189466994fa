//! `banger update`.

use std::process::ExitCode;

use banger_installer::error_kind::ErrorKind;
use banger_installer::model::{InstallMethod, Receipt};
use banger_installer::plan::{Judgement, Operation};
use banger_installer::toolkit::{
    InstallRequest, Outcome, Planner, ReleaseFolder, RollbackRequest, Toolkit, UpdateRequest,
};

use super::arguments::{DryRunOptions, UpdateOptions};
use super::host::Host;
use super::offer::{Offer, look};
use super::preview::{announce, announce_rollback};
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
                "banger {offered} was left on this machine on {}{why}; to take it all the same: \
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

/// Fetches what is offered, tells what it changes, asks, and updates.
fn take(
    options: &UpdateOptions,
    offer: &Offer,
    receipt: &Receipt,
    toolkit: &mut Toolkit<'_>,
    host: &Host,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    // a release that is refused or does not hold is not kept; the next try fetches it anew
    let clear = || fs_err::remove_dir_all(host.product.layout.staging());
    let request = fetch(options, offer, receipt, host, screen).inspect_err(|_| drop(clear()))?;
    let preview = toolkit
        .planner()
        .update(&request)
        .inspect_err(|_| drop(clear()))?;
    announce(offer, receipt, &host.product, &preview, screen);
    if !options.yes && !screen.confirm("Continue?") {
        drop(clear());
        screen.line("Nothing was changed.");
        return Ok(ExitCode::SUCCESS);
    }
    host.hold_signals()?;
    let outcome = toolkit.update(&request).inspect_err(|_| drop(clear()))?;
    conclude(&outcome, screen);
    Ok(ExitCode::SUCCESS)
}

/// Fetches, verifies and unpacks what is offered.
fn fetch(
    options: &UpdateOptions,
    offer: &Offer,
    receipt: &Receipt,
    host: &Host,
    screen: &Screen,
) -> Result<UpdateRequest, Failure> {
    Ok(UpdateRequest {
        release: ReleaseFolder {
            path: offer.stage(&host.product, receipt, screen)?,
            version: offer.manifest.version.clone(),
        },
        values: host.unit_values(&receipt.owner),
        channel: offer.manifest.channel.clone(),
        sequence: offer.manifest.sequence,
        released: offer.manifest.released,
        stop_guests: options.stop_guests,
    })
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
    let preview = if refuse_older(&offer, &receipt)? == Judgement::Take {
        let quiet = Screen::silent();
        let screen = if options.json { &quiet } else { screen };
        let preview = fetch(options, &offer, &receipt, host, screen)
            .and_then(|request| Ok(planner.update(&request)?));
        drop(fs_err::remove_dir_all(host.product.layout.staging()));
        preview?
    } else {
        planner.install(&as_installed(options, &receipt, host))?
    };
    dry_run::show(Ok(preview), showing(options), screen)?;
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
    let request = |receipt: &Receipt| RollbackRequest {
        values: host.unit_values(&receipt.owner),
        why: None,
        stop_guests: options.stop_guests,
    };
    if options.dry_run {
        let planner = Planner::look(&host.product, host.effects())?;
        let request = request(&planner.receipt()?);
        dry_run::show(planner.rollback(&request), showing(options), screen)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = ScreenReport::new(screen);
    let mut toolkit = Toolkit::begin(&host.product, host.effects(), &mut report)?;
    let receipt = toolkit.receipt()?;
    refuse_foreign(&receipt)?;
    caller::require_user(&receipt.owner)?;
    let request = request(&receipt);
    let preview = toolkit.planner().rollback(&request)?;
    announce_rollback(&receipt, &preview, screen);
    if !options.yes && !screen.confirm("Continue?") {
        screen.line("Nothing was changed.");
        return Ok(ExitCode::SUCCESS);
    }
    host.hold_signals()?;
    let outcome = toolkit.rollback(&request)?;
    conclude(&outcome, screen);
    Ok(ExitCode::SUCCESS)
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
            screen.line("What was stale has been mended; no guest was touched.");
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
