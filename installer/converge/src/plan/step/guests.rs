//! Steps that protect protected processes.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::listed;
use crate::model::{ProtectedProcess, UnitName};

/// Asks systemd whether a stop of a service would reach its main process alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckKillMode {
    /// The services.
    pub units: Vec<UnitName>,
    /// Where it would not, those whom it would reach are ended one by one, as the user asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop_guests: bool,
}

impl fmt::Display for CheckKillMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "verify that KillMode=process is in force for {}{}",
            listed(&self.units),
            if self.stop_guests {
                ", or stop who would be killed"
            } else {
                ""
            }
        )
    }
}

/// Compares every protected process with what it was before the operation: the same pid with the
/// same start time, and known to the product's services if it was known to them before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckProtected {
    /// Who was there before. On disk under the name that it was first written with.
    #[serde(rename = "survivors")]
    pub protected: Vec<ProtectedProcess>,
    /// The ids of those among them whom the services listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
    /// The ids of those among them whom the operation may have ended, as the user asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_end: Vec<String>,
}

impl fmt::Display for CheckProtected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "verify that all {} protected processes still run",
            self.protected.len()
        )
    }
}

/// Makes a service spare its children, by a drop-in of the toolkit's own that beats the unit file
/// and the administrator's drop-ins, which stay as they are.
///
/// Not reverted: an operation that is rolled back must be able to restart the service without harm,
/// too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepGuests {
    /// The service.
    pub unit: UnitName,
    /// The drop-in.
    pub path: PathBuf,
}

impl fmt::Display for KeepGuests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "add a drop-in with KillMode=process to {}",
            self.unit
        )
    }
}

/// Moves protected processes out of the services' control groups, each into a scope of its own,
/// where no stop of a service reaches them.
///
/// Not reverted: a protected process is as safe there as it can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescopeGuests {
    /// The slice of the scopes.
    pub slice: UnitName,
    /// Who goes where.
    pub moves: Vec<Move>,
    /// One that cannot be moved is ended, as the user asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop_guests: bool,
}

/// One protected process's move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Who. On disk under the name that it was first written with.
    #[serde(rename = "survivor")]
    pub protected: ProtectedProcess,
    /// Where to.
    pub scope: UnitName,
}

impl fmt::Display for RescopeGuests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self
            .moves
            .iter()
            .map(|one| one.protected.name.as_str())
            .collect();
        write!(
            formatter,
            "move {} out of the services' reach",
            listed(&names)
        )
    }
}

/// Sees, once the sockets are closed, that no protected process runs: one may have started between
/// the look at the host and the stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckVacant {}

impl fmt::Display for CheckVacant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("verify that no protected process runs")
    }
}

/// Ends protected processes, as the user asked for.
///
/// Cannot be reverted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopGuests {
    /// Who. On disk under the name that it was first written with.
    #[serde(rename = "survivors")]
    pub protected: Vec<ProtectedProcess>,
}

impl fmt::Display for StopGuests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.protected.iter().map(|one| one.name.as_str()).collect();
        write!(formatter, "stop {}", listed(&names))
    }
}
