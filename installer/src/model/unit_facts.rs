//! What systemd holds of a unit.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What systemd holds of a unit, as of this moment (org.freedesktop.systemd1(5)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitFacts {
    /// `LoadState`: `loaded`, `not-found`, `masked`, `bad-setting`, `error`, ...
    pub load_state: String,
    /// `ActiveState`: `active`, `inactive`, `activating`, `deactivating`, `failed`, `reloading`.
    pub active_state: String,
    /// `SubState`: say `running` or `listening`.
    pub sub_state: String,
    /// `FragmentPath`: the unit file in force, when there is one.
    pub fragment: Option<PathBuf>,
    /// `DropInPaths`, in the order in which they apply.
    pub drop_ins: Vec<PathBuf>,
    /// As `GetUnitFileState` gives it: `enabled`, `disabled`, `masked`, `static`, ... or empty.
    pub unit_file_state: String,
    /// `NeedDaemonReload`. A hint only: systemd 252 says "no" wrongly.
    pub needs_reload: bool,
    /// Whether a job of it waits or runs (`Job`).
    #[serde(default)]
    pub has_job: bool,
    /// `ActiveEnterTimestamp`: microseconds since 1970, 0 when it never was active.
    pub active_since: u64,
    /// What only services have.
    pub service: Option<ServiceFacts>,
}

/// What systemd holds of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceFacts {
    /// `KillMode` in force, drop-ins included.
    pub kill_mode: String,
    /// `MainPID`, 0 when it does not run.
    pub main_pid: u32,
    /// `ControlGroup`, empty when it does not run.
    pub control_group: String,
    /// The program of the first `ExecStart` line.
    pub exec_start: Option<PathBuf>,
    /// `NRestarts`: how often systemd itself restarted it since it was last started by somebody.
    #[serde(default)]
    pub restarts: u32,
    /// The words of that line, the program's name first.
    pub command: Vec<String>,
}

/// How systemd finds unit files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitSearch {
    /// `UnitPath`: the folders, the one that counts most first (systemd.unit(5)).
    pub folders: Vec<PathBuf>,
    /// When it last read all units, in microseconds since 1970 by the clock of today; none when it
    /// does not say (`UnitsLoadTimestamp`, systemd 250 and later).
    pub loaded: Option<i64>,
}

impl UnitFacts {
    /// Whether it has been told to run and could not yet say whether it does: its own start takes its
    /// time, or it waits for what comes before it at a boot. systemd bounds both.
    pub fn is_starting(&self) -> bool {
        match self.active_state.as_str() {
            "activating" => true,
            "inactive" => self.has_job,
            _ => false,
        }
    }

    /// Whether it runs, or is on its way there.
    pub fn is_active(&self) -> bool {
        matches!(
            self.active_state.as_str(),
            "active" | "activating" | "reloading"
        )
    }

    /// Whether a stop would reach the main process alone. Units that are no service kill nothing.
    pub fn keeps_children(&self) -> bool {
        self.service
            .as_ref()
            .is_none_or(|service| service.kill_mode == "process")
    }
}
