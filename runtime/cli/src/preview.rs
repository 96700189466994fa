//! What an update is about to do, said before the question.
//!
//! Guarantees: every line follows from the plan that will run; each guest is named with its fate.

use banger_installer::model::{KeyId, Receipt, UnitName, Urgency};
use banger_installer::plan::{Fate, FateKind, Plan, Step, fates};
use banger_installer::toolkit::{Preview, ReleaseInfo};

use super::dry_run::told;
use super::failure::printable;
use super::{Screen, Tone};

/// Lines of release notes before the question; the rest is a file.
const NEWS_LINES: usize = 30;

fn signers(keys: &[KeyId]) -> String {
    let names: Vec<_> = keys.iter().map(KeyId::short).collect();
    let noun = if keys.len() == 1 { "key" } else { "keys" };
    format!("{noun} {}", names.join(", "))
}

/// The publisher's words. They were signed, but a terminal's control characters have no business
/// in them.
fn tell_news(notes: &str, screen: &Screen) {
    if notes.trim().is_empty() {
        return;
    }
    screen.line("\n  What is new");
    let lines: Vec<&str> = notes.trim().lines().collect();
    for line in lines.iter().take(NEWS_LINES) {
        screen.line(format!("    {}", printable(line)).trim_end());
    }
    if lines.len() > NEWS_LINES {
        screen.line(&format!(
            "    ... and {} lines more",
            lines.len() - NEWS_LINES
        ));
    }
}

/// Prints the header, what changes, and the fate of each guest.
pub(super) fn announce(
    manifest: &ReleaseInfo,
    receipt: &Receipt,
    preview: &Preview,
    screen: &Screen,
) {
    let title = format!("banger {} → {}", receipt.version, manifest.version);
    screen.line(&format!(
        "\n{}   {}, released {}, signed by {}",
        screen.paint(Tone::Strong, &title),
        manifest.channel,
        manifest.released.strftime("%Y-%m-%d"),
        signers(&manifest.signed_by),
    ));
    if manifest.urgency >= Urgency::High {
        let word = format!("urgency {}", manifest.urgency.word());
        screen.line(&format!("  {}", screen.paint(Tone::Strong, &word)));
    }
    tell_news(&manifest.notes, screen);
    screen.line("\n  What changes");
    for line in changes(&preview.plan) {
        screen.line(&format!("    {line}"));
    }
    screen.line(&format!(
        "    {:<25} swapped in one step; {} is kept",
        "programs", receipt.version
    ));
    guests(preview, screen);
}

/// The same for a way back.
pub(super) fn announce_rollback(receipt: &Receipt, preview: &Preview, screen: &Screen) {
    let to = preview.version.as_ref().map(ToString::to_string);
    let title = format!("banger {} → {}", receipt.version, to.unwrap_or_default());
    screen.line(&format!(
        "\n{}   back to the version before",
        screen.paint(Tone::Strong, &title)
    ));
    screen.line("\n  What changes");
    for line in changes(&preview.plan) {
        screen.line(&format!("    {line}"));
    }
    screen.line(&format!(
        "    {:<25} swapped in one step; {} goes",
        "programs", receipt.version
    ));
    guests(preview, screen);
}

fn guests(preview: &Preview, screen: &Screen) {
    let protected = &preview.state.protected;
    let fates = fates(&preview.plan, protected);
    screen.line(&format!(
        "  {:<27} {} running, {}",
        "Your guests",
        protected.len(),
        touched(&fates)
    ));
    for fate in fates {
        screen.line(&format!("    {}", told(&fate)));
    }
    screen.line("");
}

/// How many of them will not run on as they do, as far as the plan says.
fn touched(fates: &[Fate]) -> String {
    let count = |filter: &dyn Fn(&FateKind) -> bool| {
        let kinds = fates.iter().map(|fate| &fate.what);
        kinds.filter(|kind| filter(kind)).count()
    };
    let stopped = count(&|kind| *kind == FateKind::Stopped);
    let may_be_stopped = count(&|kind| {
        matches!(
            kind,
            FateKind::Moved {
                or_stopped: true,
                ..
            }
        )
    });
    match (stopped, may_be_stopped) {
        (0, 0) => "none will be touched".into(),
        (0, may_be) => format!("{may_be} will be stopped if they cannot be moved"),
        (stopped, 0) => format!("{stopped} will be stopped"),
        (stopped, may_be) => {
            format!("{stopped} will be stopped, {may_be} if they cannot be moved")
        }
    }
}

/// What the plan does to units and services, a line each.
fn changes(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .filter_map(|planned| match &planned.step {
            Step::WriteUnit(step) => Some((step.unit.to_string(), planned.why.clone())),
            Step::KeepGuests(step) => {
                Some((step.unit.to_string(), "KillMode=process added first".into()))
            }
            Step::BackUp(step) => Some((
                step.path.display().to_string(),
                format!("backed up: {}", planned.why),
            )),
            Step::RestartUnits(step) => {
                let names: Vec<&str> = step.units.iter().map(UnitName::as_str).collect();
                Some(("restarted".into(), names.join(", ")))
            }
            _ => None,
        })
        .chain(migrations(plan))
        .map(|(what, how)| format!("{what:<25} {how}"))
        .collect()
}

/// What the version will do to the state, a line for each daemon that keeps some.
fn migrations(plan: &Plan) -> impl Iterator<Item = (String, String)> {
    let migrations = plan.steps.iter().filter_map(|planned| match &planned.step {
        Step::CheckState(step) => Some(&step.migrations),
        _ => None,
    });
    migrations.flatten().map(|migration| {
        (
            "state".to_owned(),
            format!("{migration}, once it is off probation"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_guests_are_touched_follows_from_their_fates() {
        let fate = |what: FateKind| Fate {
            name: "web".into(),
            pid: 7,
            what,
        };
        let moved = |or_stopped| FateKind::Moved {
            scope: "banger-vm-1.scope".parse().unwrap(),
            or_stopped,
        };
        let told = |kinds: Vec<FateKind>| touched(&kinds.into_iter().map(fate).collect::<Vec<_>>());
        assert_eq!(told(vec![]), "none will be touched");
        assert_eq!(
            told(vec![FateKind::OwnScope, FateKind::Spared, moved(false)]),
            "none will be touched"
        );
        assert_eq!(
            told(vec![FateKind::OwnScope, moved(true)]),
            "1 will be stopped if they cannot be moved"
        );
        assert_eq!(told(vec![FateKind::Stopped]), "1 will be stopped");
    }
}
