//! What was seen of each channel: `seen.json`, the memory against old releases (`RELEASES.md`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{KeyId, RolledBack};

/// The schema that this code writes.
pub const ANTI_ROLLBACK_SCHEMA: u32 = 1;

/// The contents of `seen.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AntiRollbackState {
    /// [`ANTI_ROLLBACK_SCHEMA`].
    pub schema: u32,
    /// By channel.
    pub channels: BTreeMap<String, SeenRelease>,
    /// The newest list of signing keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<SignedText>,
    /// The last version that was tried here and failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<RolledBack>,
    /// Fields of later versions, kept as they are.
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// A signed text with its signatures, kept as they came: whoever reads them checks them again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedText {
    /// What was signed.
    pub text: String,
    /// The signature file.
    pub signature: String,
}

/// The newest manifest of a channel that was ever believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRelease {
    /// Its sequence number.
    pub sequence: u64,
    /// The latest `released` of any: the clock's floor.
    pub released: Timestamp,
    /// The keys that signed it; none when a version that kept no account of them saw it.
    #[serde(default)]
    pub signed_by: Vec<KeyId>,
}

/// A memory that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AntiRollbackError {
    /// Not JSON of its shape.
    #[error("the record of releases that were seen is damaged")]
    Shape(#[source] serde_json::Error),
    /// Written by a later version.
    #[error(
        "the record of releases that were seen has schema {found}; \
         this program reads up to {ANTI_ROLLBACK_SCHEMA}"
    )]
    Schema {
        /// The schema that it names.
        found: u32,
    },
}

impl Default for AntiRollbackState {
    fn default() -> Self {
        Self {
            schema: ANTI_ROLLBACK_SCHEMA,
            channels: BTreeMap::new(),
            keys: None,
            failed: None,
            unknown: serde_json::Map::new(),
        }
    }
}

impl AntiRollbackState {
    /// Parses `seen.json`.
    ///
    /// # Errors
    /// [`AntiRollbackError`], when the bytes are damaged or from the future.
    pub fn from_json(bytes: &[u8]) -> Result<Self, AntiRollbackError> {
        super::read_document(
            bytes,
            1..=ANTI_ROLLBACK_SCHEMA,
            AntiRollbackError::Shape,
            |found| AntiRollbackError::Schema { found },
        )
    }

    /// Pretty JSON with a final newline.
    ///
    /// # Errors
    /// [`AntiRollbackError::Shape`], which no value made by this code can cause.
    pub fn to_json(&self) -> Result<Vec<u8>, AntiRollbackError> {
        super::write_document(self).map_err(AntiRollbackError::Shape)
    }
}
