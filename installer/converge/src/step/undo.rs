//! How an operation is rolled back.
//!
//! Guarantees: first the units that the operation started are stopped, while the unit files that say
//! how (`KillMode=process`) are still in force; then files and links go back in reverse order; then
//! systemd reads them; and only then, with `KillMode=process` seen in force, services are restarted.
//! Every part may be done again, and what is already gone or already back is fine.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::restore::restore;
use super::{Act as _, StepError};
use crate::effect::Effects;
use crate::model::{Found, SavedFile, UnitName, Version};
use crate::plan::{CheckHealth, CheckKillMode, RestartUnits, StartUnits, StopUnits};
use crate::report::Report;

/// How one step is reverted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "kebab-case")]
pub enum Undo {
    /// There is nothing to revert, or it does good as it is.
    Nothing,
    /// Put back what stood at a path.
    Put {
        /// The path.
        path: PathBuf,
        /// What stood there.
        before: Found,
        /// The folders above it that were missing, the outermost first: they go when nothing else has
        /// come into them. Absent in journals of earlier versions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        new_folders: Vec<PathBuf>,
    },
    /// Put back what stood at the path of a probation, and the state files that the version before
    /// could no longer read.
    #[serde(rename = "trial")]
    Probation {
        /// The path.
        path: PathBuf,
        /// What stood there.
        before: Found,
        /// The state as it was.
        state: Vec<SavedFile>,
    },
    /// Take away what was put at a path, and put back what had been moved away from it.
    Tree {
        /// The path.
        path: PathBuf,
        /// Where the old one went, if there was one.
        aside: Option<PathBuf>,
        /// Whether the old one stays where it went when the operation is committed.
        keep_aside: bool,
    },
    /// Read the units anew.
    Reload,
    /// Disable what was enabled.
    Disable {
        /// Which.
        units: Vec<UnitName>,
    },
    /// Enable what was disabled.
    Enable {
        /// Which.
        units: Vec<UnitName>,
    },
    /// Stop what was started.
    Stop {
        /// Which.
        units: Vec<UnitName>,
    },
    /// Start what was stopped.
    Start {
        /// Which.
        units: Vec<UnitName>,
    },
    /// Restart on what stands again, and see that it is well.
    Restart {
        /// Which services.
        units: Vec<UnitName>,
        /// Sockets that were started for the occasion.
        started: Vec<UnitName>,
        /// The version that must answer.
        version: Option<Version>,
    },
}

/// Rolls back an operation: `undos` in the order in which they were written.
///
/// # Errors
/// The first thing that could not be rolled back. The journal stays then, and the next operation tries
/// again from the start.
pub fn revert(
    undos: &[Undo],
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<(), StepError> {
    for undo in undos.iter().rev() {
        stop_what_was_started(undo, effects, report)?;
    }
    for undo in undos.iter().rev() {
        put_back(undo, effects)?;
    }
    if undos.iter().any(|undo| *undo != Undo::Nothing) {
        effects.systemd.reload()?;
    }
    for undo in undos.iter().rev() {
        start_what_was_stopped(undo, effects, report)?;
    }
    // a service that was on its way out may have written its state once more
    for undo in undos {
        if let Undo::Probation { state, .. } = undo
            && restore(state, effects)? > 0
        {
            for undo in undos.iter().rev() {
                start_what_was_stopped(undo, effects, report)?;
            }
        }
    }
    Ok(())
}

fn stop_what_was_started(
    undo: &Undo,
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<(), StepError> {
    match undo {
        Undo::Stop { units } => StopUnits {
            units: units.clone(),
        }
        .act(effects, report)
        .map(drop),
        Undo::Disable { units } => Ok(effects.systemd.disable(units)?),
        _ => Ok(()),
    }
}

fn put_back(undo: &Undo, effects: &Effects<'_>) -> Result<(), StepError> {
    match undo {
        Undo::Put {
            path,
            before,
            new_folders,
        } => {
            put(path, before, effects)?;
            for folder in new_folders.iter().rev() {
                if effects.files.look(folder)? == Found::Folder {
                    effects.files.remove_if_empty(folder)?;
                }
            }
            Ok(())
        }
        Undo::Probation {
            path,
            before,
            state,
        } => {
            restore(state, effects)?;
            put(path, before, effects)
        }
        Undo::Tree { path, aside, .. } => {
            let Some(aside) = aside else {
                return Ok(effects.files.remove(path)?);
            };
            // without the aside the act had not begun, or is already rolled back
            if effects.files.look(aside)? == Found::Missing {
                return Ok(());
            }
            // a file is replaced by the rename itself: its path is never empty
            if effects.files.look(aside)? == Found::Folder {
                effects.files.remove(path)?;
            }
            effects.files.rename(aside, path)?;
            // rename(2) does nothing between two names of one file
            Ok(effects.files.remove(aside)?)
        }
        _ => Ok(()),
    }
}

fn put(path: &Path, before: &Found, effects: &Effects<'_>) -> Result<(), StepError> {
    // a step that failed before it changed anything asks nothing of a disk that takes nothing
    if *before != Found::Missing && effects.files.look(path)? == *before {
        return Ok(effects.files.settle(path)?);
    }
    match before {
        Found::Missing => effects.files.remove(path)?,
        Found::File(image) => effects.files.write_whole(path, image)?,
        Found::Link(target) => effects.files.replace_link(path, target)?,
        Found::Folder | Found::Other => {
            return Err(StepError::InTheWay { path: path.into() });
        }
    }
    Ok(())
}

fn start_what_was_stopped(
    undo: &Undo,
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<(), StepError> {
    match undo {
        Undo::Enable { units } => Ok(effects.systemd.enable(units)?),
        Undo::Start { units } => StartUnits {
            units: units.clone(),
        }
        .act(effects, report)
        .map(drop),
        Undo::Restart {
            units,
            started,
            version,
        } => {
            CheckKillMode {
                units: units.clone(),
                stop_guests: false,
            }
            .act(effects, report)?;
            if !started.is_empty() {
                StopUnits {
                    units: started.clone(),
                }
                .act(effects, report)?;
            }
            RestartUnits {
                units: units.clone(),
                sockets: Vec::new(),
                fallback: None,
            }
            .act(effects, report)?;
            match version {
                Some(version) => CheckHealth {
                    units: units.clone(),
                    version: version.clone(),
                }
                .act(effects, report)
                .map(drop),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Restarts the services that run and whose stop reaches no protected process. One that would kill
/// is left as it is: the next plan mends it first.
///
/// # Errors
/// [`StepError`]: systemd, or a service that does not come up.
pub(crate) fn restart_those_that_may(
    services: &[UnitName],
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<(), StepError> {
    let protected = effects
        .protected
        .list()
        .map_err(StepError::ProtectedProcesses)?;
    let mut units = Vec::new();
    for service in services {
        let facts = effects.systemd.unit(service)?;
        let harmless =
            facts.spares_children() || !protected.iter().any(|one| one.lives_in(service));
        if facts.is_active() && harmless {
            units.push(service.clone());
        }
    }
    if units.is_empty() {
        return Ok(());
    }
    RestartUnits {
        units,
        sockets: Vec::new(),
        fallback: None,
    }
    .act(effects, report)
    .map(drop)
}
