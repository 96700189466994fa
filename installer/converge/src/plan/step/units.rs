//! Steps that work on units.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::listed;
use crate::model::{UnitName, Version};

/// Makes systemd read all unit files anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadSystemd {}

impl fmt::Display for ReloadSystemd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("reload systemd")
    }
}

/// Starts units, all jobs queued together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartUnits {
    /// Units that do not run.
    pub units: Vec<UnitName>,
}

/// Stops units, all jobs queued together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopUnits {
    /// Units that run.
    pub units: Vec<UnitName>,
}

/// Restarts services, all jobs queued together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartUnits {
    /// The services.
    pub units: Vec<UnitName>,
    /// Sockets of theirs that do not listen yet, or for another owner. systemd starts a socket only
    /// while its service does not run, so the services are stopped, the sockets started, and then
    /// the services.
    pub sockets: Vec<UnitName>,
    /// The version that stands when this is rolled back.
    pub fallback: Option<Version>,
}

impl fmt::Display for StartUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "start {}", listed(&self.units))
    }
}

impl fmt::Display for StopUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "stop {}", listed(&self.units))
    }
}

impl fmt::Display for RestartUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "restart {}", listed(&self.units))
    }
}

/// Makes units start at boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnableUnits {
    /// Units that are not enabled.
    pub units: Vec<UnitName>,
}

/// Makes units no longer start at boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisableUnits {
    /// Units that are enabled.
    pub units: Vec<UnitName>,
}

impl fmt::Display for EnableUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "enable {}", listed(&self.units))
    }
}

impl fmt::Display for DisableUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "disable {}", listed(&self.units))
    }
}

/// Starts the unit that rolls the operation back if the updater dies, and watches the new version
/// afterwards.
///
/// Not reverted: it exits when there is nothing to watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRescue {
    /// The unit.
    pub unit: UnitName,
}

impl fmt::Display for StartRescue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "start {}, which watches the new version",
            self.unit
        )
    }
}
