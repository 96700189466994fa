//! systemd, as far as the toolkit needs it.
//!
//! Guarantees: a fact about a unit is what systemd itself reports, never what a file says; a job
//! counts as finished only when systemd's `JobRemoved` signal named it and gave its result; every
//! wait is bounded.

mod before_services;
mod bus;
mod error;
mod host;
mod proxies;
mod scope;

use serde::{Deserialize, Serialize};

use banger_installer_host::ProcessIdentity;

use crate::{UnitFacts, UnitName, UnitSearch};

pub use before_services::BeforeServices;
pub use bus::{Bus, JOB_BOUND, METHOD_BOUND};
pub use error::SystemdError;
pub use host::HostSystemd;
pub use scope::{NewScope, is_taken, limit_scope, start_scope};

/// What the bus, or systemd by way of the bus, answers when it refuses.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BusError(pub(crate) zbus::Error);

/// systemd refuses a Reload with less room than this in /run, where it keeps its state over it.
pub const RELOAD_FLOOR: u64 = 16 * 1024 * 1024;

/// What a job does with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// `StartUnit`.
    Start,
    /// `StopUnit`.
    Stop,
    /// `RestartUnit`: a unit that does not run is started.
    Restart,
}

/// How a job ended (org.freedesktop.systemd1(5), `JobRemoved`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobResult {
    /// It did what it had to.
    Done,
    /// Another job or a person took its place.
    Canceled,
    /// It took longer than the unit allows.
    Timeout,
    /// The unit failed.
    Failed,
    /// A unit that it needs failed.
    Dependency,
    /// It did not apply to the unit's state.
    Skipped,
    /// A word that this code does not know.
    Unknown,
}

impl JobResult {
    fn from_word(word: &str) -> Self {
        match word {
            "done" => Self::Done,
            "canceled" => Self::Canceled,
            "timeout" => Self::Timeout,
            "failed" => Self::Failed,
            "dependency" => Self::Dependency,
            "skipped" => Self::Skipped,
            _ => Self::Unknown,
        }
    }
}

/// A transient scope to be made around running processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeRequest {
    /// Its name, `.scope` included.
    pub name: UnitName,
    /// The slice it lies in.
    pub slice: UnitName,
    /// What people read in `systemctl status`.
    pub description: String,
    /// The processes that move into it; at least one.
    pub processes: Vec<ProcessIdentity>,
}

/// What the toolkit asks of systemd.
pub trait Systemd {
    /// Reads all unit files anew (`Reload`), and returns when that is done.
    fn reload(&self) -> Result<(), SystemdError>;
    /// What is in force for a unit, loaded or not.
    fn unit(&self, name: &UnitName) -> Result<UnitFacts, SystemdError>;
    /// The same for several units, in their order.
    fn units(&self, names: &[UnitName]) -> Result<Vec<UnitFacts>, SystemdError> {
        names.iter().map(|name| self.unit(name)).collect()
    }
    /// Where it looks for unit files, and when it last did.
    fn search(&self) -> Result<UnitSearch, SystemdError>;
    /// Queues one job per unit, all before the first is waited for, and returns when the last has
    /// ended. The results are in the order of the units.
    fn run_jobs(&self, kind: JobKind, units: &[UnitName]) -> Result<Vec<JobResult>, SystemdError>;
    /// Queues a start of each unit and returns: whoever is to start later than the caller is.
    fn queue_starts(&self, units: &[UnitName]) -> Result<(), SystemdError>;
    /// Forgets that a unit failed, so that a start is not refused for it.
    fn reset_failed(&self, unit: &UnitName) -> Result<(), SystemdError>;
    /// Makes the links that the units' `[Install]` sections ask for, and syncs them.
    fn enable(&self, units: &[UnitName]) -> Result<(), SystemdError>;
    /// Removes those links, and syncs that.
    fn disable(&self, units: &[UnitName]) -> Result<(), SystemdError>;
    /// Moves running processes into a new scope: those very processes where systemd takes
    /// descriptors (253 and later). Where it takes numbers alone, whoever asks looks who arrived.
    fn start_transient_scope(&self, scope: &ScopeRequest) -> Result<(), SystemdError>;
}
