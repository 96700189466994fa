//! What is not as it was installed, and what that means for those who must live.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{Found, Layout, UnitFacts, UnitName};
use crate::observe::{DropIn, UnitState};
use crate::unit;

/// Something about a unit that is not as it was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The unit.
    pub unit: UnitName,
    /// What it is.
    pub what: Staleness,
    /// Whether those who must live are in no danger by it.
    pub harmless: bool,
}

/// Ways in which a unit can be stale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Staleness {
    /// Its file is not there.
    Missing,
    /// Its file is not there, and the unit runs all the same.
    GoneWhileLoaded,
    /// `systemctl mask`.
    Masked,
    /// Its file is not what was installed.
    Edited,
    /// The file in force is another, in a folder that comes first.
    Shadowed {
        /// That file.
        by: PathBuf,
    },
    /// What was loaded was not what was on disk.
    NotLoaded,
    /// A stop would kill children.
    KillMode {
        /// The mode in force.
        found: String,
        /// Drop-ins that set it.
        drop_ins: Vec<PathBuf>,
    },
    /// A drop-in of the administrator's that changes other things.
    DropIn {
        /// Its file.
        path: PathBuf,
        /// What it sets, as `Setting=value`.
        settings: Vec<String>,
    },
    /// The toolkit's own drop-in keeps `KillMode=process` in force.
    KeptByDropIn {
        /// Its file.
        path: PathBuf,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = &self.unit;
        match &self.what {
            Staleness::Missing => write!(formatter, "{unit} is missing"),
            Staleness::GoneWhileLoaded => write!(
                formatter,
                "the file of {unit} is gone while it runs: a stop would kill its guests"
            ),
            Staleness::Masked => write!(formatter, "{unit} is masked: it cannot be started"),
            Staleness::Edited => write!(formatter, "{unit} is not as it was installed"),
            Staleness::Shadowed { by } => {
                write!(formatter, "{unit} is overruled by {}", by.display())
            }
            Staleness::NotLoaded => write!(
                formatter,
                "systemd had not read {unit} as it stands on the disk"
            ),
            Staleness::KillMode { found, drop_ins } => {
                write!(formatter, "{unit} has KillMode={found}")?;
                if let Some(path) = drop_ins.last() {
                    write!(formatter, " by {}", path.display())?;
                }
                write!(formatter, ": a restart would kill its guests")
            }
            Staleness::DropIn { path, settings } => write!(
                formatter,
                "{} sets {} (kept: harmless to guests)",
                path.display(),
                settings.join(", ")
            ),
            Staleness::KeptByDropIn { path } => write!(
                formatter,
                "{unit} has KillMode=process by {}",
                path.display()
            ),
        }
    }
}

/// Everything about a unit that is not as it was installed. `installed` is the text that was, when
/// it is known.
pub fn findings(layout: &Layout, state: &UnitState, installed: Option<&str>) -> Vec<Finding> {
    let facts = &state.facts;
    let mut found = Vec::new();
    match &state.file {
        Found::Missing if facts.is_active() && facts.fragment.is_none() => {
            found.push(Staleness::GoneWhileLoaded);
        }
        Found::Missing => found.push(Staleness::Missing),
        Found::Link(target) if target == Path::new("/dev/null") => found.push(Staleness::Masked),
        Found::File(image) => {
            if installed.is_some_and(|text| image.contents.as_bytes() != text.as_bytes()) {
                found.push(Staleness::Edited);
            }
        }
        Found::Link(_) | Found::Folder | Found::Other => found.push(Staleness::Edited),
    }
    if let Some(by) = shadow(layout, state) {
        found.push(Staleness::Shadowed { by: by.into() });
    }
    if was_not_loaded(state) {
        found.push(Staleness::NotLoaded);
    }
    if in_danger(state) {
        found.push(Staleness::KillMode {
            found: kill_mode(state).to_owned(),
            drop_ins: state
                .drop_ins
                .iter()
                .filter(|drop_in| may_set_kill_mode(drop_in))
                .map(|drop_in| drop_in.path.clone())
                .collect(),
        });
    }
    let own = layout.keep_guests_drop_in(&state.spec.name);
    found.extend(state.drop_ins.iter().filter_map(|drop_in| {
        if drop_in.path == own {
            return Some(Staleness::KeptByDropIn { path: own.clone() });
        }
        let settings = settings(drop_in);
        // one that is to blame for the KillMode is named with it
        let blamed = in_danger(state) && may_set_kill_mode(drop_in);
        (!settings.is_empty() && !blamed).then(|| Staleness::DropIn {
            path: drop_in.path.clone(),
            settings,
        })
    }));
    found
        .into_iter()
        .map(|what| Finding {
            unit: state.spec.name.clone(),
            harmless: is_harmless(&what, state),
            what,
        })
        .collect()
}

fn is_harmless(what: &Staleness, state: &UnitState) -> bool {
    match what {
        Staleness::DropIn { .. } | Staleness::KeptByDropIn { .. } => true,
        Staleness::GoneWhileLoaded | Staleness::KillMode { .. } => false,
        _ => !state.spec.keeps_children || state.facts.keeps_children(),
    }
}

fn kill_mode(state: &UnitState) -> &str {
    state
        .facts
        .service
        .as_ref()
        .map_or("", |service| service.kill_mode.as_str())
}

/// Whether a stop of this unit would kill what must live: by what systemd has in force now, which
/// is what a stop goes by.
pub fn in_danger(state: &UnitState) -> bool {
    let loaded = state.facts.load_state == "loaded" || state.facts.is_active();
    state.spec.keeps_children && loaded && !state.facts.keeps_children()
}

/// The file in force, when it is not the one that we write.
pub(super) fn shadow<'a>(layout: &Layout, state: &'a UnitState) -> Option<&'a Path> {
    let path = layout.unit(&state.spec.name);
    match (&state.file, state.facts.fragment.as_deref()) {
        (Found::File(_), Some(fragment)) if fragment != path => Some(fragment),
        _ => None,
    }
}

/// What a Reload changed, `NeedDaemonReload` notwithstanding.
fn was_not_loaded(state: &UnitState) -> bool {
    let told = |facts: &UnitFacts| {
        let service = facts.service.as_ref();
        (
            facts.load_state.clone(),
            facts.fragment.clone(),
            facts.drop_ins.clone(),
            service.map(|service| (service.kill_mode.clone(), service.exec_start.clone())),
        )
    };
    state.before.needs_reload || told(&state.before) != told(&state.facts)
}

/// Whether the toolkit's own drop-in is needed, once the unit file is `text`.
pub(super) fn needs_own_drop_in(layout: &Layout, state: &UnitState, text: &str) -> bool {
    let own = layout.keep_guests_drop_in(&state.spec.name);
    let by_file = unit::parse(text)
        .is_ok_and(|parsed| parsed.values("Service", "KillMode").last() == Some(&"process"));
    !by_file
        || shadow(layout, state).is_some()
        || state
            .drop_ins
            .iter()
            .any(|drop_in| drop_in.path != own && may_set_kill_mode(drop_in))
}

/// Whether a drop-in sets a `KillMode` that kills, or cannot be read: then nobody knows.
fn may_set_kill_mode(drop_in: &DropIn) -> bool {
    let Some(text) = &drop_in.text else {
        return true;
    };
    unit::parse(text).map_or(true, |parsed| {
        parsed
            .directives()
            .iter()
            .rfind(|directive| directive.section == "Service" && directive.key == "KillMode")
            .is_some_and(|directive| directive.value != "process")
    })
}

fn settings(drop_in: &DropIn) -> Vec<String> {
    let parsed = drop_in.text.as_deref().map(unit::parse);
    match parsed {
        Some(Ok(parsed)) => parsed
            .directives()
            .iter()
            .map(|directive| format!("{}={}", directive.key, directive.value))
            .collect(),
        _ => vec!["what cannot be read".into()],
    }
}
