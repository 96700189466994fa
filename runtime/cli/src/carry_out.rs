//! `banger system carry-out`: what the installed version asks of a release's own program.
//!
//! Guarantees: the plan is made, shown and carried out by this program, under the lock of the one that
//! calls; nothing is changed before that one has agreed.

use std::process::ExitCode;

use banger_installer::toolkit::{Handed, Planner, ReleaseInfo, Session, Taken, take_over};

use super::arguments::DryRunOptions;
use super::handed::HandedOptions;
use super::host::Host;
use super::preview::announce;
use super::report::ScreenReport;
use super::update::ask_and_execute;
use super::{Failure, Screen, dry_run};
use crate::build::Build;

pub(super) fn run(numbers: &str, build: &Build, screen: &Screen) -> Result<ExitCode, Failure> {
    let host = Host::connect()?;
    let (mut taken, lock) = take_over(&host.product, numbers)?;
    let version = build
        .version()
        .map_err(|error| Failure::new(&error, None, banger_installer::ErrorKind::Other))?;
    let program = std::env::current_exe().map_err(|error| cannot_find(&error))?;
    let mut report = ScreenReport::new(screen);
    let handed = match taken.handed().clone() {
        Handed::Recover {
            before_services, ..
        } => {
            taken.agree(&host.product, &version)?;
            host.hold_signals()?;
            let effects = host.effects();
            let mut session = Session::carry_on(&host.product, effects, &mut report, lock, program);
            if before_services {
                session.recover_before_services()?;
            } else {
                session.recover()?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        Handed::Update(handed) => handed,
    };
    let options: HandedOptions = serde_json::from_value(handed.options.clone()).unwrap_or_default();
    let effects = host.effects();
    if options.dry_run {
        let planner = Planner::carry_on(&host.product, effects, lock);
        return show(&planner, &handed.info, options, &mut taken, &host, screen);
    }
    let mut session = Session::carry_on(&host.product, effects, &mut report, lock, program);
    update(
        &mut session,
        &handed.info,
        options,
        &mut taken,
        &host,
        screen,
    )
}

fn cannot_find(error: &std::io::Error) -> Failure {
    Failure::plain(
        format!("cannot find this program's own file: {error}"),
        Some("see that /proc is mounted, and try again".into()),
        banger_installer::ErrorKind::HostLacks,
    )
}

fn update(
    session: &mut Session<'_>,
    info: &ReleaseInfo,
    options: HandedOptions,
    taken: &mut Taken,
    host: &Host,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    let receipt = session.receipt()?;
    let values = host.unit_values(&receipt.owner);
    let prepared = session.planner().plan_taken(taken, values)?;
    taken.agree(&host.product, &info.version)?;
    ask_and_execute(session, prepared, options.yes, host, screen, &|preview| {
        announce(info, &receipt, preview, screen);
    })
}

fn show(
    planner: &Planner<'_>,
    info: &ReleaseInfo,
    options: HandedOptions,
    taken: &mut Taken,
    host: &Host,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    let receipt = planner.receipt()?;
    let prepared = planner.plan_taken(taken, host.unit_values(&receipt.owner))?;
    taken.agree(&host.product, &info.version)?;
    let options = DryRunOptions {
        dry_run: true,
        json: options.json,
    };
    dry_run::show(prepared.preview(), options, screen)?;
    Ok(ExitCode::SUCCESS)
}
