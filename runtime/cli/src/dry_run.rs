//! `--dry-run`: what a command would do, each step with its reason, and the fate of each guest.
//!
//! Guarantees: what is shown is the plan that the command itself would carry out, made from the host
//! as it is; nothing is changed.

use banger_installer::error_kind::ErrorKind;
use banger_installer::plan::{Fate, Operation, fates};
use banger_installer::toolkit::Preview;

use super::arguments::DryRunOptions;
use super::{Failure, Screen, Tone};

/// Shows a plan instead of carrying it out.
pub(super) fn show(
    preview: &Preview,
    options: DryRunOptions,
    screen: &Screen,
) -> Result<(), Failure> {
    if options.json {
        let text = serde_json::to_string_pretty(&as_json(preview))
            .map_err(|error| Failure::new(&error, None, ErrorKind::Other))?;
        screen.raw(&text);
        return Ok(());
    }
    let operation = preview.plan.operation;
    for finding in &preview.findings {
        screen.note(&finding.to_string());
    }
    if preview.plan.is_empty() {
        screen.line("Nothing would be changed: all is as it should be.");
        guests(preview, screen);
        return Ok(());
    }
    let title = format!("This is what {operation} would do; nothing was changed");
    screen.line(&screen.paint(Tone::Strong, &title));
    for (number, planned) in preview.plan.steps.iter().enumerate() {
        let reason = screen.paint(Tone::Faint, &planned.why);
        screen.line(&format!("  {:>2}. {}   {reason}", number + 1, planned.step));
    }
    for swept in preview.plan.swept() {
        screen.line(&format!(
            "      then remove {}   {}",
            swept.display(),
            screen.paint(Tone::Faint, "when all of that holds")
        ));
    }
    guests(preview, screen);
    Ok(())
}

fn guests(preview: &Preview, screen: &Screen) {
    let fates = fates(&preview.plan, &preview.state.protected);
    let title = match fates.len() {
        0 => "No guest is running".to_owned(),
        1 => "The guest that runs".to_owned(),
        count => format!("The {count} guests that run"),
    };
    screen.line(&screen.paint(Tone::Strong, &title));
    for fate in &fates {
        screen.line(&format!("  {}", told(fate)));
    }
}

/// What becomes of a guest, in a line.
pub(super) fn told(fate: &Fate) -> String {
    format!("{:<14} pid {:<10} {}", fate.name, fate.pid, fate.what)
}

fn as_json(preview: &Preview) -> serde_json::Value {
    let steps: Vec<_> = preview
        .plan
        .steps
        .iter()
        .map(|planned| {
            serde_json::json!({
                "step": planned.step.name(),
                "what": planned.step.to_string(),
                "why": planned.why,
            })
        })
        .collect();
    let guests: Vec<_> = fates(&preview.plan, &preview.state.protected)
        .iter()
        .map(|fate| {
            let mut value = serde_json::to_value(fate).unwrap_or_default();
            value["meaning"] = fate.what.to_string().into();
            value
        })
        .collect();
    let removed: Vec<_> = preview.plan.swept().collect();
    let from = preview.state.receipt.as_ref();
    serde_json::json!({
        "operation": preview.plan.operation,
        "from": from.map(|receipt| &receipt.version),
        "to": (preview.plan.operation != Operation::Uninstall)
            .then_some(preview.version.as_ref())
            .flatten(),
        "changes": !preview.plan.is_empty(),
        "steps": steps,
        "removed_last": removed,
        "findings": preview.findings,
        "guests": guests,
    })
}
