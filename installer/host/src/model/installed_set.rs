//! What a version put on the host: its programs, its units with their texts, and its links.
//!
//! Written beside the receipt with every version that is installed, so that a rollback brings the very
//! same set back, whatever the version that is left knows of it.

use serde::{Deserialize, Serialize};

use super::{Product, Program, UnitSpec, Version};

/// The schema that this code writes and reads.
pub const INSTALLED_SET_SCHEMA: u32 = 1;

/// The contents of `set-VERSION.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledSet {
    /// [`INSTALLED_SET_SCHEMA`].
    pub schema: u32,
    /// Whose set it is.
    pub version: Version,
    /// The programs.
    pub programs: Vec<Program>,
    /// The units, in the order in which they start.
    pub units: Vec<InstalledUnit>,
    /// The files that are linked beneath the host's `share` folder, by their path in the version's.
    pub shared: Vec<String>,
    /// Fields of later versions, kept as they are.
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// A unit as it was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledUnit {
    /// What the toolkit must know of it.
    #[serde(flatten)]
    pub spec: UnitSpec,
    /// The whole file.
    pub text: String,
}

/// Bytes that are no set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstalledSetError {
    /// Not JSON of the set's shape.
    #[error("it is damaged")]
    Shape(#[source] serde_json::Error),
    /// Written by a later version.
    #[error("it has schema {found}; this program reads schema {INSTALLED_SET_SCHEMA}")]
    Schema {
        /// The schema that it names.
        found: u32,
    },
}

impl InstalledSet {
    /// Parses the bytes of a set.
    ///
    /// # Errors
    /// [`InstalledSetError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, InstalledSetError> {
        super::read_document(
            bytes,
            INSTALLED_SET_SCHEMA..=INSTALLED_SET_SCHEMA,
            InstalledSetError::Shape,
            |found| InstalledSetError::Schema { found },
        )
    }

    /// The bytes of a set: pretty JSON with a final newline.
    ///
    /// # Errors
    /// [`InstalledSetError::Shape`], which no set that was parsed or planned causes.
    pub fn to_json(&self) -> Result<Vec<u8>, InstalledSetError> {
        super::write_document(self).map_err(InstalledSetError::Shape)
    }

    /// What the toolkit must know of the units.
    pub fn specs(&self) -> impl Iterator<Item = &UnitSpec> {
        self.units.iter().map(|unit| &unit.spec)
    }
}

impl Product {
    /// The same product with what a version put on the host.
    #[must_use]
    pub fn with_set(&self, set: &InstalledSet) -> Self {
        Self {
            programs: set.programs.clone(),
            units: set.specs().cloned().collect(),
            shared: set.shared.clone(),
            ..self.clone()
        }
    }
}
