//! What about a unit is not as it was installed, and what that means for protected processes.

use std::path::{Path, PathBuf};

use super::finding::{Danger, Drift, Finding};
use super::loading::{
    forecast, is_edited, kill_mode, last_kill_mode, may_set_kill_mode, sets_process, unread,
};
use crate::model::{FileImage, Found, Hint, Layout, Product, UnitName};
use crate::observe::{DropIn, Fragment, UnitState, same_path};
use crate::unit;

/// Everything about a unit that is not as it was installed. `installed` is the text that was, when
/// it is known. `auto_update` says whether updates are installed unattended.
pub fn findings(
    product: &Product,
    state: &UnitState,
    installed: Option<&str>,
    auto_update: bool,
) -> Vec<Finding> {
    let look = Look {
        layout: &product.layout,
        auto_update,
        state,
        installed,
        path: product.layout.unit(&state.spec.name),
        unread: unread(state, installed),
    };
    let mut found = look.file();
    found.extend(look.loading());
    found.extend(look.effective());
    found.extend(look.drop_ins());
    found
        .into_iter()
        .map(|(what, path)| Finding {
            unit: Some(state.spec.name.clone()),
            danger: look.danger(&what, &path),
            remedy: remedy(product, state, &what, &path),
            what,
            path,
        })
        .collect()
}

/// The file that masks a unit, when one does and it is the one that counts.
pub(super) fn mask(state: &UnitState) -> Option<&Fragment> {
    state.fragments.first().filter(|fragment| fragment.masks())
}

/// What was found, and where.
type Drifted = (Drift, PathBuf);

struct Look<'a> {
    layout: &'a Layout,
    auto_update: bool,
    state: &'a UnitState,
    installed: Option<&'a str>,
    path: PathBuf,
    /// What systemd has not read, when there is such a thing.
    unread: Option<Vec<PathBuf>>,
}

impl Look<'_> {
    /// What stands at the unit's path, and at the paths that compete with it.
    fn file(&self) -> Vec<Drifted> {
        let state = self.state;
        let mut found = Vec::new();
        if let Some(mask) = mask(state) {
            return vec![(Drift::Masked, mask.path.clone())];
        }
        let here = |what| (what, self.path.clone());
        match &state.file {
            Found::Missing if state.facts.is_active() && state.facts.fragment.is_none() => {
                found.push(here(Drift::GoneWhileLoaded));
            }
            Found::Missing => found.push(here(Drift::Missing)),
            Found::Link(target) => {
                let target = target.clone();
                found.push(here(Drift::Linked { target }));
            }
            Found::File(image) => {
                if self.is_edited() {
                    found.push(here(Drift::Edited));
                }
                found.extend(permissions(image).map(here));
            }
            Found::Folder | Found::Other => found.push(here(Drift::Edited)),
        }
        let first = state.fragments.first().map(|first| first.path.as_path());
        let by = shadow(self.layout, state)
            .or_else(|| first.filter(|_| matches!(state.file, Found::File(_))))
            .filter(|by| !same_path(by, &self.path));
        if let Some(by) = by {
            found.push((Drift::Shadowed, by.to_path_buf()));
        }
        let ours = |one: &&Fragment| same_path(&one.path, &self.path);
        let behind = state
            .fragments
            .iter()
            .skip_while(|one| !ours(one))
            .skip(1)
            .map(|one| (Drift::Overruled, one.path.clone()));
        found.extend(behind);
        found
    }

    fn is_edited(&self) -> bool {
        is_edited(self.state, self.installed)
    }

    fn loading(&self) -> Option<Drifted> {
        let files = self.unread.clone()?;
        let path = files.first().unwrap_or(&self.path).clone();
        Some((Drift::NotLoaded { files }, path))
    }

    /// What systemd has in force, whatever the files say.
    fn effective(&self) -> Vec<Drifted> {
        let state = self.state;
        let here = |what| (what, self.path.clone());
        let mut seen = Vec::new();
        if in_danger(state) {
            seen.push(here(Drift::KillMode {
                found: kill_mode(&state.facts).to_owned(),
                drop_ins: state
                    .drop_ins
                    .iter()
                    .filter(|drop_in| drop_in.is_loaded && may_set_kill_mode(drop_in))
                    .map(|drop_in| drop_in.path.clone())
                    .collect(),
            }));
        }
        seen.extend(self.command().map(here));
        seen.extend(self.start_limits().into_iter().map(here));
        if mask(state).is_some() || state.facts.load_state != "loaded" {
            return seen;
        }
        // `bad` says that a file could not be looked at, not that the unit is disabled; of a shadow
        // it is told that it is one
        let word = state.facts.unit_file_state.as_str();
        let is_first = |first: &Fragment| same_path(&first.path, &self.path);
        if state.spec.is_enabled(self.auto_update)
            && state.fragments.first().is_some_and(is_first)
            && !matches!(word, "enabled" | "bad" | "")
        {
            let found = word.to_owned();
            seen.push(here(Drift::NotEnabled { found }));
        }
        if state.spec.is_running(self.auto_update) && !state.facts.is_active() {
            let state_of_unit = state.facts.active_state.clone();
            seen.push(here(Drift::NotRunning {
                found: state_of_unit,
            }));
        }
        seen
    }

    /// Limits in force that the unit as it was installed switches off.
    fn start_limits(&self) -> Vec<Drift> {
        let installed = self.installed.map(unit::parse);
        let Some(Ok(installed)) = installed else {
            return Vec::new();
        };
        let switched_off = |setting: &str| {
            let mut directives = installed.directives().iter();
            directives.any(|one| one.key == setting && is_zero(&one.value))
        };
        let limits = self.state.facts.limits.iter();
        limits
            .filter(|limit| switched_off(&limit.setting))
            .map(|limit| Drift::StartLimit {
                setting: limit.setting.clone(),
                seconds: limit.interval / 1_000_000,
                burst: limit.burst,
                drop_ins: self
                    .state
                    .drop_ins
                    .iter()
                    .filter(|drop_in| sets(drop_in, &limit.setting))
                    .map(|drop_in| drop_in.path.clone())
                    .collect(),
            })
            .collect()
    }

    fn command(&self) -> Option<Drift> {
        let service = self.state.facts.service.as_ref()?;
        let expected = command_of(self.installed?)?;
        let differs = self.state.facts.load_state == "loaded" && service.command != expected;
        differs.then(|| Drift::Command {
            found: service.command.join(" "),
            expected: expected.join(" "),
        })
    }

    fn drop_ins(&self) -> Vec<Drifted> {
        let own = self.layout.keep_guests_drop_in(&self.state.spec.name);
        let drop_ins = &self.state.drop_ins;
        let one = |(index, drop_in): (usize, &DropIn)| {
            if drop_in.path == own {
                return Some((Drift::KeptByDropIn, own.clone()));
            }
            let settings = settings(drop_in);
            // one that is to blame for the KillMode is named with it
            let blamed = in_danger(self.state) && drop_in.is_loaded && may_set_kill_mode(drop_in);
            if settings.is_empty() || blamed || is_the_vendors(drop_in) {
                return None;
            }
            let overruled_by = drop_ins
                .iter()
                .skip(index + 1)
                .filter(|_| drop_in.is_loaded && may_set_kill_mode(drop_in))
                .find(|later| later.is_loaded && sets_process(later))
                .map(|later| later.path.clone());
            let what = Drift::DropIn {
                settings,
                overruled_by,
            };
            Some((what, drop_in.path.clone()))
        };
        drop_ins.iter().enumerate().filter_map(one).collect()
    }

    fn danger(&self, what: &Drift, path: &Path) -> Danger {
        let state = self.state;
        match what {
            Drift::GoneWhileLoaded
            | Drift::Missing
            | Drift::Masked
            | Drift::Linked { .. }
            | Drift::Edited
            | Drift::Shadowed
            | Drift::NotLoaded { .. }
            | Drift::KillMode { .. } => self.danger_of_unit(),
            Drift::DropIn { .. } => {
                let sets = |one: &DropIn| one.path == path && may_set_kill_mode(one);
                let guilty = !in_danger(state) && state.drop_ins.iter().any(sets);
                if guilty {
                    self.danger_of_unit()
                } else {
                    Danger::None
                }
            }
            _ => Danger::None,
        }
    }

    fn danger_of_unit(&self) -> Danger {
        let kills = |mode: &str| !matches!(mode, "process" | "none");
        if !self.state.spec.stateful {
            Danger::None
        } else if in_danger(self.state) && kills(kill_mode(&self.state.facts)) {
            Danger::AtStop
        } else if self.unread.is_some() && kills(&forecast(self.state)) {
            Danger::AfterReload
        } else {
            Danger::None
        }
    }
}

fn remedy(product: &Product, state: &UnitState, what: &Drift, path: &Path) -> Option<String> {
    match what {
        Drift::DropIn { .. } | Drift::Overruled | Drift::KeptByDropIn => None,
        Drift::StartLimit {
            setting, drop_ins, ..
        } if !drop_ins.is_empty() => {
            let paths: Vec<_> = drop_ins.iter().map(|path| path.display()).collect();
            Some(format!(
                "take {setting}= out of {}, then: sudo systemctl daemon-reload",
                super::listed(&paths)
            ))
        }
        Drift::Masked => Some(unmask(&state.spec.name, path)),
        _ => Some(product.hint_text.of(&Hint::Install)),
    }
}

/// What takes a mask away.
pub(super) fn unmask(unit: &UnitName, mask: &Path) -> String {
    let runtime = if mask.starts_with("/run") {
        "--runtime "
    } else {
        ""
    };
    if mask.parent().is_some_and(|folder| {
        folder.ends_with("etc/systemd/system") || folder.ends_with("run/systemd/system")
    }) {
        format!("sudo systemctl unmask {runtime}{unit}")
    } else {
        format!("sudo rm {}", mask.display())
    }
}

fn permissions(image: &FileImage) -> Option<Drift> {
    let sound = (image.mode, image.uid, image.gid) == (0o644, 0, 0);
    (!sound).then(|| Drift::Permissions {
        mode: format!("{:04o}", image.mode),
        uid: image.uid,
        gid: image.gid,
    })
}

/// Whether a stop of this unit would kill a protected process: by what systemd has in force now, which
/// is what a stop goes by.
pub fn in_danger(state: &UnitState) -> bool {
    let loaded = state.facts.load_state == "loaded" || state.facts.is_active();
    state.spec.stateful && loaded && !state.facts.spares_children()
}

/// The file in force, when it is not the one that we write.
pub(super) fn shadow<'a>(layout: &Layout, state: &'a UnitState) -> Option<&'a Path> {
    let path = layout.unit(&state.spec.name);
    match (&state.file, state.facts.fragment.as_deref()) {
        (Found::File(_), Some(fragment)) if !same_path(fragment, &path) => Some(fragment),
        _ => None,
    }
}

/// The words of the first `ExecStart=` of a unit file.
fn command_of(text: &str) -> Option<Vec<String>> {
    let parsed = unit::parse(text).ok()?;
    let value = *parsed.values("Service", "ExecStart").first()?;
    unit::words(value).ok()
}

/// Whether the toolkit's own drop-in is needed, once the unit file is `text`.
pub(super) fn needs_own_drop_in(layout: &Layout, state: &UnitState, text: &str) -> bool {
    let own = layout.keep_guests_drop_in(&state.spec.name);
    last_kill_mode(text).as_deref() != Some("process")
        || shadow(layout, state).is_some()
        || state
            .drop_ins
            .iter()
            .any(|drop_in| drop_in.path != own && may_set_kill_mode(drop_in))
}

/// Whether a drop-in is for all units of a type and comes with the distribution: that is part of
/// the host, and says nothing of this unit.
fn is_the_vendors(drop_in: &DropIn) -> bool {
    let folder = drop_in.path.parent();
    let of_a_type = folder
        .and_then(Path::file_name)
        .is_some_and(|name| matches!(name.to_str(), Some("service.d" | "socket.d" | "slice.d")));
    let vendor = drop_in.path.starts_with("/usr/lib") || drop_in.path.starts_with("/lib");
    of_a_type && vendor && !may_set_kill_mode(drop_in)
}

/// A time of systemd's that is none (systemd.time(7)).
fn is_zero(value: &str) -> bool {
    let digits = value.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    !digits.is_empty() && digits.bytes().all(|byte| byte == b'0')
}

fn sets(drop_in: &DropIn, setting: &str) -> bool {
    let parsed = drop_in.text.as_deref().map(unit::parse);
    let Some(Ok(parsed)) = parsed else {
        return false;
    };
    let mut directives = parsed.directives().iter();
    directives.any(|one| one.key == setting)
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
