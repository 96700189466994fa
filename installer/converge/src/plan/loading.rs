//! What systemd holds of a unit, compared with what it would hold had it read the disk just now.

use std::path::PathBuf;

use crate::model::{Found, UnitFacts};
use crate::observe::{DropIn, UnitState, same_path};
use crate::unit;

/// What systemd had not read, when there was such a thing: `NeedDaemonReload` notwithstanding, which
/// overlooks a drop-in in a new folder, a new file that comes first, and whatever bears an old date.
pub(super) fn unread(state: &UnitState, installed: Option<&str>) -> Option<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    let told = |facts: &UnitFacts| {
        let service = facts.service.as_ref();
        (
            facts.load_state.clone(),
            facts.fragment.clone(),
            facts.drop_ins.clone(),
            service.map(|service| (service.kill_mode.clone(), service.command.clone())),
        )
    };
    // what the Reload has changed
    let mut any = told(&state.before) != told(&state.facts);
    let now = state.facts.drop_ins.iter();
    files.extend(
        now.filter(|path| !state.before.drop_ins.contains(path))
            .cloned(),
    );
    // what there has been no Reload for
    let lying = state.fragments.first();
    let loaded = state.facts.fragment.as_deref();
    match (lying, loaded) {
        // systemd may hold a link under the name of what it names
        (Some(lying), _) if matches!(lying.found, Found::Link(_)) && !lying.masks() => {}
        (Some(lying), Some(loaded)) if same_path(&lying.path, loaded) => {
            let masked = state.facts.load_state == "masked";
            let other = lying.masks() != masked || (state.changed && is_edited(state, installed));
            files.extend(other.then(|| lying.path.clone()));
        }
        (Some(lying), _) => files.push(lying.path.clone()),
        (None, Some(loaded)) => files.push(loaded.into()),
        (None, None) => {}
    }
    let differs = |one: &&DropIn| one.is_loaded != one.lies || one.changed;
    let differing = state.drop_ins.iter().filter(differs);
    files.extend(differing.map(|one| one.path.clone()));
    // the right text on the disk, and another in force
    if state.facts.load_state == "loaded" && state.spec.stateful {
        any |= kill_mode(&state.facts) != forecast(state) && state.drop_ins.iter().all(is_readable);
    }
    // systemd asks for a Reload for ever while a drop-in cannot be read
    any |= state.before.needs_reload
        && (!state.facts.needs_reload || state.drop_ins.iter().all(is_readable));
    files.dedup();
    (any || !files.is_empty()).then_some(files)
}

fn is_readable(drop_in: &DropIn) -> bool {
    drop_in.text.is_some()
}

/// The `KillMode` that will be in force once systemd reads the unit as it lies on the disk.
pub(super) fn forecast(state: &UnitState) -> String {
    const DEFAULT: &str = "control-group";
    let first = state.fragments.first().filter(|first| !first.masks());
    let Some(first) = first else {
        return DEFAULT.into();
    };
    let mut lying: Vec<&DropIn> = state.drop_ins.iter().filter(|one| one.lies).collect();
    lying.sort_by_key(|drop_in| drop_in.path.file_name());
    let texts = std::iter::once(first.text.as_deref())
        .chain(lying.iter().map(|drop_in| drop_in.text.as_deref()));
    let mut mode = DEFAULT.to_owned();
    for directive in texts.flatten().filter_map(last_kill_mode) {
        match directive.as_str() {
            "" => mode = DEFAULT.into(),
            "control-group" | "mixed" | "process" | "none" => mode = directive,
            // systemd ignores what it does not know
            _ => {}
        }
    }
    mode
}

/// The last `KillMode=` of a text; none where there is none, or no unit file.
pub(super) fn last_kill_mode(text: &str) -> Option<String> {
    let parsed = unit::parse(text).ok()?;
    let directive = parsed
        .directives()
        .iter()
        .rfind(|one| one.section == "Service" && one.key == "KillMode");
    directive.map(|found| found.value.clone())
}

pub(super) fn is_edited(state: &UnitState, installed: Option<&str>) -> bool {
    match (&state.file, installed) {
        (Found::File(image), Some(text)) => image.contents.as_bytes() != text.as_bytes(),
        _ => false,
    }
}

pub(super) fn kill_mode(facts: &UnitFacts) -> &str {
    facts
        .service
        .as_ref()
        .map_or("", |service| service.kill_mode.as_str())
}

pub(super) fn sets_process(drop_in: &DropIn) -> bool {
    let mode = drop_in.text.as_deref().and_then(last_kill_mode);
    mode.as_deref() == Some("process")
}

/// Whether a drop-in sets a `KillMode` that kills, or cannot be read: then nobody knows.
pub(super) fn may_set_kill_mode(drop_in: &DropIn) -> bool {
    let parsed = drop_in.text.as_deref().map(unit::parse);
    match (parsed, drop_in.text.as_deref().and_then(last_kill_mode)) {
        (Some(Ok(_)), mode) => mode.is_some_and(|mode| mode != "process"),
        _ => true,
    }
}
