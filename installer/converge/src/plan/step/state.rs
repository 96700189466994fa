//! The step that asks a version what it will do to the product's state.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::{UnitName, Version};

/// Asks the programs of a version again that will migrate state: before anything points at them, and
/// so that people see what comes. The migration itself waits until the version is off probation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckState {
    /// The version.
    pub version: Version,
    /// What will be migrated.
    pub migrations: Vec<Migration>,
}

/// State that a version will migrate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The service that keeps it.
    pub unit: UnitName,
    /// The program that says so.
    pub program: PathBuf,
    /// The arguments that ask it.
    pub words: Vec<String>,
    /// As which user and group it is asked; as root where none is named.
    pub user: Option<(u32, u32)>,
    /// The schema of the state.
    pub from: u32,
    /// The schema that it will have.
    pub to: u32,
}

impl fmt::Display for Migration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.unit.as_str();
        let name = name.strip_suffix(".service").unwrap_or(name);
        let (from, to) = (self.from, self.to);
        write!(
            formatter,
            "will migrate the state of {name} from schema {from} to {to}"
        )
    }
}

impl fmt::Display for CheckState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.migrations.iter().map(ToString::to_string).collect();
        write!(
            formatter,
            "check that {} still {}",
            self.version,
            all.join("; ")
        )
    }
}
