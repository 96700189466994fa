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
    /// The limits in force on how often it may be started, drop-ins included.
    #[serde(default)]
    pub limits: Vec<RateLimit>,
    /// What only services have.
    pub service: Option<ServiceFacts>,
}

/// A limit on starts that is in force (systemd.unit(5), `StartLimitIntervalSec=`; systemd.socket(5),
/// `TriggerLimitIntervalSec=`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// The setting, as a unit file spells it.
    pub setting: String,
    /// The time that it counts over, in microseconds.
    pub interval: u64,
    /// How many starts it allows in that time.
    pub burst: u32,
}

/// What systemd holds of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// `User`: whom it runs as; empty for root.
    #[serde(default)]
    pub user: String,
    /// `Result` of its last run: `success`, `exit-code`, `signal`, `timeout`, ...
    #[serde(default)]
    pub result: String,
    /// `ExecMainCode`: how its main process ended, as `si_code` of sigaction(2) has it; 0 while it
    /// runs. systemd forgets it at the next start.
    #[serde(default)]
    pub main_code: i32,
    /// `ExecMainStatus`: with which exit status, or by which signal.
    #[serde(default)]
    pub main_status: i32,
    /// It was no longer active before its main process ended: a job stopped it. One that exits
    /// is first dead, and inactive after it (`ActiveExitTimestampMonotonic` and
    /// `ExecMainExitTimestampMonotonic`).
    #[serde(default)]
    pub was_stopped: bool,
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

    /// Whether somebody stopped it and nobody has started it since: the service at rest, in order, by a
    /// job. What `systemctl stop` does to a service, and to those that require it.
    pub fn is_stopped_by_hand(&self) -> bool {
        let rests = self.active_state == "inactive" && !self.has_job;
        let service = self.service.as_ref();
        rests && service.is_some_and(|service| service.was_stopped && service.result == "success")
    }

    /// Whether a job is stopping it just now, for good or to start it anew. systemd bounds that.
    pub fn is_being_stopped(&self) -> bool {
        self.active_state == "deactivating" && self.has_job
    }

    /// Whether it runs, or is on its way there.
    pub fn is_active(&self) -> bool {
        matches!(
            self.active_state.as_str(),
            "active" | "activating" | "reloading"
        )
    }

    /// Whether it runs as a user other than root, who may then do with its processes what she likes:
    /// stop them, end them, listen in their place.
    pub fn is_owner_controlled(&self) -> bool {
        let user = self.service.as_ref().map(|service| service.user.as_str());
        user.is_some_and(|user| !matches!(user, "" | "root" | "0"))
    }

    /// Whether a stop would reach the main process alone. Units that are no service kill nothing.
    pub fn spares_children(&self) -> bool {
        self.service
            .as_ref()
            .is_none_or(|service| service.kill_mode == "process")
    }
}
