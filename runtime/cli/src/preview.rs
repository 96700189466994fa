//! What an update is about to do, said before the question.
//!
//! Guarantees: every line follows from the plan that will run; each guest is named with its fate.

use banger_installer::model::{KeyId, Product, Receipt, UnitName, Urgency};
use banger_installer::plan::{Plan, Step, fates};
use banger_installer::toolkit::Preview;

use super::dry_run::told;
use super::failure::printable;
use super::offer::Offer;
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
    offer: &Offer,
    receipt: &Receipt,
    product: &Product,
    preview: &Preview,
    screen: &Screen,
) {
    let manifest = &offer.manifest;
    let title = format!("banger {} → {}", receipt.version, manifest.version);
    screen.line(&format!(
        "\n{}   {}, released {}, signed by {}",
        screen.paint(Tone::Strong, &title),
        manifest.channel,
        manifest.released.strftime("%Y-%m-%d"),
        signers(manifest.signed_by()),
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
        format!("{} programs", product.programs.len()),
        receipt.version
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
    let survivors = &preview.state.survivors;
    screen.line(&format!(
        "  {:<27} {} running, none will be touched",
        "Your guests",
        survivors.len()
    ));
    for fate in fates(&preview.plan, survivors) {
        screen.line(&format!("    {}", told(&fate)));
    }
    screen.line("");
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
            Step::SetAside(step) => Some((
                step.path.display().to_string(),
                format!("set aside: {}", planned.why),
            )),
            Step::RestartUnits(step) => {
                let names: Vec<&str> = step.units.iter().map(UnitName::as_str).collect();
                Some(("restarted".into(), names.join(", ")))
            }
            _ => None,
        })
        .map(|(what, how)| format!("{what:<25} {how}"))
        .collect()
}
