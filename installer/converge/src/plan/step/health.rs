//! Steps that ask programs and services how they are.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::listed;
use crate::model::{UnitName, Version};

/// Waits until each service answers, and with the right version: a start job that is done says
/// neither (systemd calls a service started that dies at once).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckHealth {
    /// The services.
    pub units: Vec<UnitName>,
    /// What they must say.
    pub version: Version,
}

impl fmt::Display for CheckHealth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "wait until {} answer with {}",
            listed(&self.units),
            self.version
        )
    }
}

/// Asks every program of a release for its version, before anything points at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckPrograms {
    /// The folder that holds them.
    pub folder: PathBuf,
    /// Their names.
    pub programs: Vec<String>,
    /// What they must say.
    pub version: Version,
}

impl fmt::Display for CheckPrograms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "verify that each program says {}", self.version)
    }
}
