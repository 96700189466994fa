//! `banger update`.

use std::process::ExitCode;

use banger_installer::error_kind::ErrorKind;
use banger_installer::model::{InstallMethod, Receipt};
use banger_installer::plan::Operation;
use banger_installer::toolkit::{
    InstallRequest, Outcome, Planner, ReleaseFolder, RollbackRequest, Silent, Toolkit,
    UpdateRequest,
};

use super::arguments::{DryRunOptions, UpdateOptions};
use super::host::Host;
use super::preview::{announce, announce_rollback};
use super::release::{Offer, look};
use super::report::{ScreenReport, told_of_guests};
use super::{Failure, Screen, caller, dry_run};
use crate::build::Build;

/// The exit code of `--check` when there is a newer release.
const UPDATE_AVAILABLE: u8 = 10;

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
    caller::require_root()?;
    let host = Host::connect()?;
    if options.check {
        return check(options, build, screen, &host);
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
    let offer = look(&options.from, build, &host.product, &receipt)?;
    if !offer.is_newer_than(&receipt) {
        return mend(options, &mut toolkit, &host, &receipt, screen);
    }
    take(options, &offer, &receipt, &mut toolkit, &host, screen)
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
    let offer = look(&options.from, build, &host.product, &receipt)?;
    let preview = if offer.is_newer_than(&receipt) {
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

fn check(
    options: &UpdateOptions,
    build: &Build,
    screen: &Screen,
    host: &Host,
) -> Result<ExitCode, Failure> {
    let mut silent = Silent;
    let receipt = banger_installer::observe::read_receipt(&host.product, &host.effects())
        .map_err(banger_installer::toolkit::ToolkitError::from)?;
    let receipt = match receipt {
        Some(receipt) => receipt,
        None => Toolkit::begin(&host.product, host.effects(), &mut silent)?.receipt()?,
    };
    let offer = look(&options.from, build, &host.product, &receipt)?;
    let newer = offer.is_newer_than(&receipt);
    if options.json {
        let answer = serde_json::json!({
            "installed": receipt.version,
            "offered": offer.manifest.version,
            "channel": offer.manifest.channel,
            "released": offer.manifest.released,
            "signed_by": offer.manifest.signed_by(),
            "update_available": newer,
        });
        screen.line(&answer.to_string());
    } else if newer {
        screen.line(&format!(
            "banger {} → {} is available; to take it: sudo banger update",
            receipt.version, offer.manifest.version
        ));
    } else {
        screen.line(&newest(&receipt));
    }
    Ok(if newer {
        ExitCode::from(UPDATE_AVAILABLE)
    } else {
        ExitCode::SUCCESS
    })
}

fn newest(receipt: &Receipt) -> String {
    format!(
        "banger {} is the newest release of channel {}",
        receipt.version, receipt.channel
    )
}

/// There is nothing newer: then what is installed is at least made what it should be.
fn mend(
    options: &UpdateOptions,
    toolkit: &mut Toolkit<'_>,
    host: &Host,
    receipt: &Receipt,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    host.hold_signals()?;
    let outcome = toolkit.install(&as_installed(options, receipt, host))?;
    screen.line(&newest(receipt));
    if outcome != Outcome::Unchanged {
        screen.line("What was stale has been mended; no guest was touched.");
    }
    Ok(ExitCode::SUCCESS)
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
        channel: None,
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
