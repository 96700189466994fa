//! `banger system carry-out`: what the installed version asks of a release's own program.
//!
//! Guarantees: the plan is made, shown and carried out by this program, under the lock of the one that
//! calls; nothing is changed before that one has agreed.

use std::process::ExitCode;

use banger_installer::model::Receipt;
use banger_installer::toolkit::{
    Handed, HandedUpdate, Planner, ReleaseFolder, Request, Taken, Toolkit, UpdateRequest, take_over,
};
use serde::{Deserialize, Serialize};

use super::arguments::{DryRunOptions, UpdateOptions};
use super::host::Host;
use super::preview::announce;
use super::report::ScreenReport;
use super::update::ask_and_execute;
use super::{Failure, Screen, dry_run};
use crate::build::Build;

/// What `banger update` was told beyond the release, as one version hands it to another: a field that
/// one of them does not know is left aside.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct HandedOptions {
    yes: bool,
    dry_run: bool,
    json: bool,
}

impl HandedOptions {
    pub(super) const fn of(options: &UpdateOptions) -> Self {
        Self {
            yes: options.yes,
            dry_run: options.dry_run,
            json: options.json,
        }
    }
}

pub(super) fn run(numbers: &str, build: &Build, screen: &Screen) -> Result<ExitCode, Failure> {
    let host = Host::connect()?;
    let (mut taken, lock) = take_over(&host.product, numbers)?;
    let version = build
        .version()
        .map_err(|error| Failure::new(&error, None, banger_installer::ErrorKind::Other))?;
    let program = std::env::current_exe().map_err(|error| cannot_find(&error))?;
    let mut report = ScreenReport::new(screen);
    match taken.handed.clone() {
        Handed::Recover {
            before_services, ..
        } => {
            taken.agree(&host.product, &version)?;
            host.hold_signals()?;
            let effects = host.effects();
            let mut toolkit = Toolkit::carry_on(&host.product, effects, &mut report, lock, program);
            if before_services {
                toolkit.recover_before_services()?;
            } else {
                toolkit.recover()?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Handed::Update(handed) => {
            let options: HandedOptions =
                serde_json::from_value(handed.options.clone()).unwrap_or_default();
            if options.dry_run {
                let planner = Planner::carry_on(&host.product, host.effects(), lock);
                return show(&planner, &handed, options, &mut taken, &host, screen);
            }
            let effects = host.effects();
            let mut toolkit = Toolkit::carry_on(&host.product, effects, &mut report, lock, program);
            update(&mut toolkit, &handed, options, &mut taken, &host, screen)
        }
    }
}

fn cannot_find(error: &std::io::Error) -> Failure {
    Failure::plain(
        format!("cannot find this program's own file: {error}"),
        Some("see that /proc is mounted, and try again".into()),
        banger_installer::ErrorKind::HostLacks,
    )
}

fn request(handed: &HandedUpdate, receipt: &Receipt, host: &Host) -> Request {
    Request::Update(UpdateRequest {
        release: ReleaseFolder {
            path: handed.release.clone(),
            version: handed.version.clone(),
        },
        values: host.unit_values(&receipt.owner),
        channel: handed.channel.clone(),
        sequence: handed.sequence,
        released: handed.released,
        stop_guests: handed.stop_guests,
    })
}

fn update(
    toolkit: &mut Toolkit<'_>,
    handed: &HandedUpdate,
    options: HandedOptions,
    taken: &mut Taken,
    host: &Host,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    let receipt = toolkit.receipt()?;
    let prepared = toolkit.planner().prepare(request(handed, &receipt, host))?;
    taken.agree(&host.product, &handed.version)?;
    ask_and_execute(toolkit, prepared, options.yes, host, screen, &|preview| {
        announce(handed, &receipt, preview, screen);
    })
}

fn show(
    planner: &Planner<'_>,
    handed: &HandedUpdate,
    options: HandedOptions,
    taken: &mut Taken,
    host: &Host,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    let receipt = planner.receipt()?;
    let prepared = planner.prepare(request(handed, &receipt, host))?;
    taken.agree(&host.product, &handed.version)?;
    let options = DryRunOptions {
        dry_run: true,
        json: options.json,
    };
    dry_run::show(prepared.preview(), options, screen)?;
    Ok(ExitCode::SUCCESS)
}
