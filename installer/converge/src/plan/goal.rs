//! What a plan leads to, and what several parts of a plan read of it.

use std::path::PathBuf;

use jiff::Timestamp;

use super::{Migration, Operation};
use crate::model::{
    INSTALLED_SET_SCHEMA, InstalledSet, InstalledUnit, Product, Receipt, UnitName, UnitSpec,
    Version,
};
use crate::observe::HostState;

/// What the host is to become.
#[derive(Debug, Clone)]
pub struct Goal {
    /// What the operation is about.
    pub operation: Operation,
    /// The version that runs in the end.
    pub version: Version,
    /// How the version's folder gets there; none when it is there.
    pub stage: Option<Stage>,
    /// The unit files, in the product's order.
    pub units: Vec<Rendered>,
    /// The receipt in the end.
    pub receipt: Receipt,
    /// The time, for what is written down.
    pub now: Timestamp,
    /// What the version will migrate.
    pub migrations: Vec<Migration>,
    /// Restart the services even if nothing changed.
    pub restart: bool,
    /// End those who would be killed and cannot be moved, instead of refusing.
    pub stop_guests: bool,
}

/// A unit's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The unit.
    pub unit: UnitName,
    /// The whole file.
    pub text: String,
}

/// A release that has to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The unpacked release.
    pub from: PathBuf,
    /// It may be moved: it lies in the staging folder.
    pub may_move: bool,
    /// Another folder of the same version lies there.
    pub replaces: bool,
}

impl Goal {
    /// What the version puts on the host.
    pub(super) fn set(&self, product: &Product) -> InstalledSet {
        let text = |unit: &UnitName| {
            let rendered = self.units.iter().find(|found| found.unit == *unit);
            rendered.map(|found| found.text.clone()).unwrap_or_default()
        };
        let unit = |spec: &UnitSpec| InstalledUnit {
            text: text(&spec.name),
            spec: spec.clone(),
        };
        InstalledSet {
            schema: INSTALLED_SET_SCHEMA,
            version: self.version.clone(),
            programs: product.programs.clone(),
            units: product.units.iter().map(unit).collect(),
            shared: product.shared.clone(),
            unknown: serde_json::Map::new(),
        }
    }
}

/// Whether the product is to belong to somebody else.
pub(super) fn owner_changes(state: &HostState, goal: &Goal) -> bool {
    let before = state.receipt.as_ref();
    before.is_some_and(|before| before.owner.uid != goal.receipt.owner.uid)
}
