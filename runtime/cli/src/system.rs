//! `banger system`: install, restart, uninstall. Status has a file of its own.

use std::path::PathBuf;
use std::process::ExitCode;

use banger_installer::error_kind::ErrorKind;
use banger_installer::model::{Owner, Receipt};
use banger_installer::plan::{Plan, Purge};
use banger_installer::toolkit::{
    InstallRequest, Outcome, Planner, ReleaseFolder, Request, RescueLimits, Rescued,
    RestartRequest, Session, ToolkitError, UninstallRequest, recover, rescue,
};
use nix::errno::Errno;

use super::arguments::{DryRunOptions, InstallOptions, Switch, SystemCommand};
use super::host::Host;
use super::question::Question;
use super::report::{ScreenReport, told_of_guests};
use super::{
    Failure, Screen, Tone, caller, carry_out, dry_run, measured, probation, root, source, status,
};
use crate::build::Build;
use crate::jail;
use crate::product::UNIT_TEMPLATES;
use crate::vm_uids;

pub(super) fn run(
    command: SystemCommand,
    build: &Build,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    root::enter()?;
    match command {
        SystemCommand::Install(options) => install(&options, build, screen),
        SystemCommand::Status { json } => status::run(json, screen),
        SystemCommand::Rescue => watch(screen),
        SystemCommand::CarryOut { handover } => carry_out::run(&handover, build, screen),
        SystemCommand::Recover => recover_before_daemons(screen),
        SystemCommand::Restart {
            stop_guests,
            dry_run,
            json,
        } => restart(stop_guests, DryRunOptions { dry_run, json }, screen),
        SystemCommand::Uninstall {
            purge,
            stop_guests,
            yes,
            dry_run,
        } => {
            let purge = if purge { Purge::State } else { Purge::Keep };
            uninstall(
                UninstallRequest::new(purge).stop_guests(stop_guests),
                yes,
                dry_run,
                screen,
            )
        }
    }
}

fn install(options: &InstallOptions, build: &Build, screen: &Screen) -> Result<ExitCode, Failure> {
    let host = Host::connect()?;
    if options.dry_run.dry_run {
        let planner = Planner::look(&host.product, host.effects())?;
        let installed = installed_owner(planner.receipt())?;
        let owner = owner(options, installed.as_ref(), screen)?;
        let (request, _unpacked) = install_request(options, build, &host, owner)?;
        let prepared = planner.prepare(Request::Install(request))?;
        dry_run::show(prepared.preview(), options.dry_run, screen)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = ScreenReport::new(screen);
    let mut session = Session::begin(&host.product, host.effects(), &mut report)?;
    let installed = installed_owner(session.receipt())?;
    let owner = owner(options, installed.as_ref(), screen)?;
    if let Some(installed) = installed.filter(|installed| installed.user != owner.user)
        && !may_change_owner(options, &installed, &owner, screen)?
    {
        screen.line("Nothing was changed.");
        return Ok(ExitCode::SUCCESS);
    }
    let (request, _unpacked) = install_request(options, build, &host, owner)?;
    host.hold_signals()?;
    match session.install(&request)? {
        Outcome::Unchanged => screen.line(&format!(
            "banger {} is installed for {}, as it should be; nothing was changed.",
            request.release.version, request.owner.user
        )),
        Outcome::Changed(summary) => {
            let what = if summary.from.is_some() {
                "in order"
            } else {
                "installed"
            };
            screen.line(&format!(
                "\nbanger {} is {what} for {}. As {}, type: banger vm run NAME --kernel FILE",
                request.release.version, request.owner.user, request.owner.user
            ));
            measured::tell(&summary, screen);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whom the receipt names. One that is damaged is no reason to ask for another owner.
fn installed_owner(receipt: Result<Receipt, ToolkitError>) -> Result<Option<Owner>, ToolkitError> {
    match receipt {
        Ok(receipt) => Ok(Some(receipt.owner)),
        Err(ToolkitError::NotInstalled { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is to be installed, for whom, and what holds it while it is.
fn install_request(
    options: &InstallOptions,
    build: &Build,
    host: &Host,
    owner: Owner,
) -> Result<(InstallRequest, UnpackedRelease), Failure> {
    caller::require_user(&owner)?;
    caller::require_home(&owner)?;
    let version = build
        .version()
        .map_err(|error| Failure::new(&error, None, ErrorKind::Other))?;
    jail::check_host()
        .map_err(|lack| Failure::new(&lack, Some(lack.hint()), ErrorKind::HostLacks))?;
    vm_uids::check_host()
        .map_err(|conflict| Failure::new(&conflict, Some(conflict.hint()), ErrorKind::InTheWay))?;
    let unpacked = UnpackedRelease::beside_this_program(host, &caller_of_root())?;
    let values = host.unit_values(&owner);
    let release = ReleaseFolder::new(&unpacked.path, version);
    let mut request = InstallRequest::new(owner, release, values).stop_guests(options.stop_guests);
    request.auto_update = options.auto_update.map(|choice| choice == Switch::On);
    Ok((request, unpacked))
}

/// Who called root.
fn caller_of_root() -> source::Caller {
    let sudo_user = std::env::var("SUDO_USER").ok();
    source::Caller::from_sudo(sudo_user.as_deref())
}

/// For whom to install: another than before is told of, and never chosen by who happens to call.
fn owner(
    options: &InstallOptions,
    installed: Option<&Owner>,
    screen: &Screen,
) -> Result<Owner, Failure> {
    let sudo_user = std::env::var("SUDO_USER").ok();
    let chosen = caller::choose_owner(
        options.owner.as_deref(),
        sudo_user.as_deref(),
        caller::user_database,
    );
    let is_named = options.owner.is_some();
    let owner = keep_owner(chosen, installed, is_named)?;
    if let (Some(caller), false) = (sudo_user, is_named)
        && caller != owner.user
        && caller != "root"
    {
        screen.note(&format!(
            "{} stays the owner of the VMs; to change that: sudo banger system install --owner {caller}",
            owner.user
        ));
    }
    Ok(owner)
}

/// A second install keeps the first one's owner, unless another is named.
fn keep_owner(
    chosen: Result<Owner, caller::OwnerError>,
    installed: Option<&Owner>,
    is_named: bool,
) -> Result<Owner, Failure> {
    match (chosen, installed) {
        (Err(caller::OwnerError::Nobody), Some(installed)) => Ok(installed.clone()),
        // a second administrator, whoever that is
        (Ok(owner), Some(installed)) if !is_named && owner.user != installed.user => {
            Ok(installed.clone())
        }
        (Err(_), Some(installed)) if !is_named => Ok(installed.clone()),
        (Ok(owner), _) => Ok(owner),
        (Err(error), _) => Err(error.into()),
    }
}

/// Whether the VMs may go to another owner: by a flag, or by a yes.
fn may_change_owner(
    options: &InstallOptions,
    installed: &Owner,
    owner: &Owner,
    screen: &Screen,
) -> Result<bool, Failure> {
    if options.change_owner {
        return Ok(true);
    }
    let (before, after) = (&installed.user, &owner.user);
    let question = format!("banger is installed for {before}. Give its VMs to {after}?");
    screen.confirm_danger(&question).ok_or_else(|| {
        Failure::plain(
            format!("banger is installed for {before}; nothing was changed"),
            Some(format!(
                "to give its VMs to {after}: sudo banger system install --owner {after} --change-owner"
            )),
            ErrorKind::NotPermitted,
        )
    })
}

/// This program's own release, as a folder with `bin/` and `units/`.
struct UnpackedRelease {
    path: PathBuf,
    /// Holds a folder that was put together for this operation.
    _assembled: Option<tempfile::TempDir>,
}

impl UnpackedRelease {
    /// The folder that this program lies in, when it is a release's; else one that is put together
    /// from the programs beside this one and the templates in it.
    fn beside_this_program(host: &Host, caller: &source::Caller) -> Result<Self, Failure> {
        let program = std::env::current_exe()
            .and_then(fs_err::canonicalize)
            .map_err(|error| cannot_assemble(&error))?;
        let folder = program.parent().unwrap_or(&program);
        let release = folder.parent().unwrap_or(folder);
        let whole = folder.ends_with("bin")
            && UNIT_TEMPLATES
                .iter()
                .all(|(name, _)| release.join(format!("units/{name}.in")).is_file());
        if whole {
            source::require_own(release, caller)?;
            return Ok(Self {
                path: release.into(),
                _assembled: None,
            });
        }
        let programs = host.product.programs.iter();
        let programs: Vec<PathBuf> = programs.map(|one| folder.join(&one.name)).collect();
        source::require_own_files(&programs, caller)?;
        let assembled = tempfile::tempdir().map_err(|error| cannot_assemble(&error))?;
        let assemble = || -> std::io::Result<()> {
            for kind in ["bin", "units"] {
                fs_err::create_dir(assembled.path().join(kind))?;
            }
            for program in &host.product.programs {
                let to = assembled.path().join("bin").join(&program.name);
                fs_err::copy(folder.join(&program.name), to)?;
            }
            for (name, template) in UNIT_TEMPLATES {
                let to = assembled.path().join(format!("units/{name}.in"));
                fs_err::write(to, template)?;
            }
            Ok(())
        };
        assemble().map_err(|error| cannot_assemble(&error))?;
        Ok(Self {
            path: assembled.path().into(),
            _assembled: Some(assembled),
        })
    }
}

fn cannot_assemble(error: &std::io::Error) -> Failure {
    let kind = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOSPC | Errno::EDQUOT) => ErrorKind::HostLacks,
        _ => ErrorKind::BadInput,
    };
    Failure::plain(
        format!("cannot gather the programs of this release: {error}"),
        Some("unpack the whole release and call its bin/banger".into()),
        kind,
    )
}

fn restart(
    stop_guests: bool,
    options: DryRunOptions,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    let host = Host::connect()?;
    let request = |owner: &Owner| {
        caller::require_user(owner)
            .map(|()| RestartRequest::new(host.unit_values(owner)).stop_guests(stop_guests))
    };
    if options.dry_run {
        let planner = Planner::look(&host.product, host.effects())?;
        let request = request(&planner.receipt()?.owner)?;
        let prepared = planner.prepare(Request::Restart(request))?;
        dry_run::show(prepared.preview(), options, screen)?;
        return Ok(ExitCode::SUCCESS);
    }
    let quiet = Screen::for_json();
    let screen = if options.json { &quiet } else { screen };
    let mut report = ScreenReport::new(screen);
    let mut session = Session::begin(&host.product, host.effects(), &mut report)?;
    let request = request(&session.receipt()?.owner)?;
    host.hold_signals()?;
    if let Some(client) = measured::api_client() {
        session.probe_with(client);
    }
    let outcome = session.restart(&request)?;
    if screen.is_json() {
        measured::print_json(&outcome, screen);
    } else if let Outcome::Changed(summary) = outcome {
        let guests = told_of_guests(&summary);
        screen.line(&format!("\nRestarted; {guests}."));
        measured::tell(&summary, screen);
    }
    Ok(ExitCode::SUCCESS)
}

fn uninstall(
    request: UninstallRequest,
    yes: bool,
    options: DryRunOptions,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    let host = Host::connect()?;
    if options.dry_run {
        let planner = Planner::look(&host.product, host.effects())?;
        let prepared = planner.prepare(Request::Uninstall(request))?;
        dry_run::show(prepared.preview(), options, screen)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = ScreenReport::new(screen);
    let mut session = Session::begin(&host.product, host.effects(), &mut report)?;
    let prepared = session.planner().prepare(Request::Uninstall(request))?;
    let question = Question {
        text: "Remove all this?",
        yes,
    };
    let agreed = question.settle(&session, prepared, screen, &|preview| {
        list_removals(&preview.plan, screen);
    })?;
    let Some(prepared) = agreed else {
        return Ok(ExitCode::SUCCESS);
    };
    host.hold_signals()?;
    prepared.execute(&mut session)?;
    screen.line("\nbanger is removed.");
    Ok(ExitCode::SUCCESS)
}

/// What the rescue unit runs.
fn watch(screen: &Screen) -> Result<ExitCode, Failure> {
    let host = Host::connect()?;
    host.hold_signals()?;
    let mut report = ScreenReport::new(screen);
    let values = |receipt: &Receipt| host.unit_values(&receipt.owner);
    let told = std::env::var_os(probation::VARIABLE);
    let probation = probation::length(told.as_deref()).unwrap_or_else(|(default, warning)| {
        screen.line(&warning);
        default
    });
    let limits = RescueLimits {
        probation,
        ..RescueLimits::default()
    };
    match rescue(&host.product, host.effects(), &mut report, &values, &limits)? {
        Rescued::Nothing | Rescued::Interrupted => {}
        Rescued::Passed(version) => screen.line(&format!(
            "{version} stayed healthy for {} s: its probation is over.",
            limits.probation.as_secs()
        )),
        Rescued::RolledBack { from, why } => {
            screen.line(&format!(
                "{from} was left for the version before it: {why}."
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What the rescue unit runs first. What it does is in the report.
fn recover_before_daemons(screen: &Screen) -> Result<ExitCode, Failure> {
    let host = Host::connect()?;
    host.hold_signals()?;
    let mut report = ScreenReport::new(screen);
    recover(&host.product, host.effects(), &mut report)?;
    Ok(ExitCode::SUCCESS)
}

fn list_removals(plan: &Plan, screen: &Screen) {
    screen.line(&screen.paint(Tone::Strong, "This will be done"));
    for line in removals(plan) {
        screen.line(&format!("  {line}"));
    }
}

/// What an uninstall does, each thing once; folders that only go when they are empty are left out.
fn removals(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().map(|planned| planned.step.to_string());
    let swept = plan
        .swept()
        .map(|path| format!("remove {}", path.display()));
    let mut lines: Vec<String> = Vec::new();
    for line in steps.chain(swept) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(user: &str) -> Owner {
        Owner {
            user: user.into(),
            uid: 1000,
            gid: 1000,
            home: "/".into(),
        }
    }

    #[test]
    fn a_second_install_keeps_the_owner_unless_another_is_named() {
        let nobody = || Err(caller::OwnerError::Nobody);
        let alice = owner("alice");
        let kept = |chosen, is_named| {
            let owner = keep_owner(chosen, Some(&alice), is_named);
            owner.ok().map(|owner| owner.user)
        };
        assert_eq!(kept(nobody(), false).as_deref(), Some("alice"));
        // who calls by sudo is not named
        assert_eq!(kept(Ok(owner("bob")), false).as_deref(), Some("alice"));
        assert_eq!(kept(Ok(owner("bob")), true).as_deref(), Some("bob"));
        assert!(keep_owner(nobody(), None, false).is_err());
        let first = keep_owner(Ok(owner("bob")), None, false);
        assert_eq!(first.ok().map(|owner| owner.user).as_deref(), Some("bob"));
    }
}
