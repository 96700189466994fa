//! `banger system status`: what is installed, what runs, what is stale, in one look.

use std::process::ExitCode;

use banger_installer::error_kind::ErrorKind;
use banger_installer::model::{Receipt, UnitKind};
use banger_installer::plan::Finding;
use banger_installer::toolkit::{Status, UnitStatus, status};

use crate::product::{RESCUE_SERVICE, UPDATE_SERVICE, UPDATE_TIMER};

use super::host::Host;
use super::{Failure, Screen, Tone};

pub(super) fn run(json: bool, screen: &Screen) -> Result<ExitCode, Failure> {
    let host = Host::connect()?;
    let values = |receipt: &Receipt| Some(host.unit_values(&receipt.owner));
    let status = status(&host.product, &host.effects(), &values)?;
    if json {
        let text = serde_json::to_string_pretty(&status)
            .map_err(|error| Failure::new(&error, None, ErrorKind::Other))?;
        screen.raw(&text);
        return Ok(ExitCode::SUCCESS);
    }
    let Some(receipt) = &status.receipt else {
        screen.line("banger is not installed; to install it, type: sudo banger system install");
        pending(&status, screen);
        return Ok(ExitCode::SUCCESS);
    };
    head(receipt, screen);
    for unit in &status.units {
        unit_line(unit, screen);
    }
    findings(&status, screen);
    guests(&status, screen);
    last_update(receipt, &status, screen);
    Ok(ExitCode::SUCCESS)
}

fn head(receipt: &Receipt, screen: &Screen) {
    let title = format!("banger {}", receipt.version);
    screen.line(&format!(
        "{}   installed for {}, channel {}\n",
        screen.paint(Tone::Strong, &title),
        receipt.owner.user,
        receipt.channel
    ));
}

fn unit_line(unit: &UnitStatus, screen: &Screen) {
    let facts = &unit.facts;
    let name = unit.unit.as_str();
    let on_demand = [RESCUE_SERVICE, UPDATE_SERVICE, UPDATE_TIMER].contains(&name);
    let waits = on_demand && facts.active_state == "inactive";
    if unit.unit.kind() == UnitKind::Slice || waits {
        return;
    }
    let tone = if facts.active_state == "active" {
        Tone::Good
    } else {
        Tone::Bad
    };
    let state = if facts.active_state == "active" {
        facts.sub_state.clone()
    } else {
        format!("{} ({})", facts.active_state, facts.sub_state)
    };
    let answers = match (&unit.answers, unit.unit.kind()) {
        (Some(version), _) => version.to_string(),
        _ if name == RESCUE_SERVICE => "watches a new version".into(),
        _ if name == UPDATE_SERVICE && facts.active_state == "failed" => {
            format!("why: journalctl -u {UPDATE_SERVICE}")
        }
        _ if name == UPDATE_SERVICE => "looks for an update".into(),
        _ if name == UPDATE_TIMER => "updates once a day".into(),
        (None, UnitKind::Service) => "does not answer".into(),
        (None, _) => String::new(),
    };
    let line = format!(
        "  {:<22} {} {answers}",
        name,
        screen.paint(tone, &format!("{state:<10}")),
    );
    screen.line(line.trim_end());
}

fn findings(status: &Status, screen: &Screen) {
    let label = format!("  {:<22}", "units");
    let findings = &status.findings;
    if findings.is_empty() {
        screen.line(&format!("{label} as installed, KillMode=process in force"));
    } else if findings.iter().all(Finding::is_kept) {
        screen.line(&format!("{label} KillMode=process in force"));
    } else {
        let words = if findings.iter().all(Finding::is_harmless) {
            "not as installed; no guest is in danger".to_owned()
        } else {
            screen.paint(Tone::Bad, "stale; guests are in danger")
        };
        screen.line(&format!("{label} {words}"));
    }
    let (harmless, harmful): (Vec<_>, Vec<_>) =
        findings.iter().partition(|finding| finding.is_harmless());
    for finding in harmful.into_iter().chain(harmless) {
        screen.line(&format!("    {finding}"));
    }
    for remedy in remedies(findings) {
        screen.line(&format!("    to repair: {remedy}"));
    }
}

/// What there is to type, each once.
fn remedies(findings: &[Finding]) -> Vec<&str> {
    let mut remedies: Vec<&str> = Vec::new();
    for remedy in findings
        .iter()
        .filter_map(|finding| finding.remedy.as_deref())
    {
        if !remedies.contains(&remedy) {
            remedies.push(remedy);
        }
    }
    remedies
}

fn guests(status: &Status, screen: &Screen) {
    let count = status.protected.len();
    screen.line(&format!("  {:<22} {count} running", "guests"));
    for guest in &status.protected {
        let group = guest.control_group.rsplit('/').next().unwrap_or_default();
        screen.line(&format!(
            "    {:<20} pid {:<9} {group}",
            guest.name, guest.identity.pid
        ));
    }
}

fn last_update(receipt: &Receipt, status: &Status, screen: &Screen) {
    let text = match (&receipt.last_update, &receipt.rolled_back) {
        (_, Some(back)) => format!(
            "{} → {}, {}, rolled back{}",
            back.version,
            receipt.version,
            back.at.strftime("%Y-%m-%d %H:%M UTC"),
            back.why
                .as_ref()
                .map(|why| format!(": {why}"))
                .unwrap_or_default()
        ),
        (Some(update), None) => format!(
            "{} → {}, {}",
            update.from,
            receipt.version,
            update.finished.strftime("%Y-%m-%d %H:%M UTC")
        ),
        (None, None) => format!(
            "none since {}",
            receipt.installed.strftime("%Y-%m-%d %H:%M UTC")
        ),
    };
    screen.line(&format!("  {:<22} {text}", "last update"));
    if let Some(version) = &status.probation {
        screen.note(&format!(
            "{version} is on probation: it is rolled back automatically if it fails its health checks"
        ));
    }
    pending(status, screen);
}

fn pending(status: &Status, screen: &Screen) {
    if let Some(pid) = status.in_progress {
        screen.note(&format!("an operation is in progress (pid {pid})"));
    }
    if let Some(operation) = status.pending {
        screen.note(&format!(
            "an interrupted {operation} is rolled back by the next command that changes something"
        ));
    }
    if let Some(trouble) = &status.unusable_journal {
        screen.note(trouble);
    }
}
