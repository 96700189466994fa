//! The receipt: what is installed, for whom, and how it came.
//!
//! Written before anything else at an install and removed last at an uninstall, so that whatever
//! stands in between can be found and taken away. Fields that this version does not know are kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Digest, Owner, Version};

/// The schema that this code writes.
pub const RECEIPT_SCHEMA: u32 = 1;

/// The contents of [`Layout::receipt`](super::Layout::receipt).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`RECEIPT_SCHEMA`].
    pub schema: u32,
    /// For whom.
    pub owner: Owner,
    /// The version in use.
    pub version: Version,
    /// The version before it, kept for a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
    /// The channel that updates come from.
    pub channel: String,
    /// How it was installed.
    pub method: InstallMethod,
    /// The highest sequence number of a manifest that was taken.
    pub highest_sequence: u64,
    /// The latest `released` of a manifest that was taken: the floor of the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_released: Option<Timestamp>,
    /// Whether updates are installed unattended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_update: bool,
    /// When it was installed.
    pub installed: Timestamp,
    /// The last update that held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update: Option<LastUpdate>,
    /// The last version that was left for the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<RolledBack>,
    /// What was published: the digests of the files of the versions that are kept, by version and
    /// by the path in its folder. A version that is missing was published before this was recorded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contents: BTreeMap<Version, BTreeMap<String, Digest>>,
    /// Fields of later versions, kept as they are.
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// How the product came to the host, and so who updates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstallMethod {
    /// By the product's own command, which updates it, too.
    #[serde(rename = "self")]
    SelfInstalled,
    /// By dpkg.
    Deb,
    /// By rpm.
    Rpm,
    /// By another package manager.
    Other,
}

/// An update that held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUpdate {
    /// The version before.
    pub from: Version,
    /// When the health check had passed.
    pub finished: Timestamp,
}

/// A version that was left for the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// The version that was left.
    pub version: Version,
    /// When.
    pub at: Timestamp,
    /// Why, in a person's words; none when a person asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A receipt that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not JSON of the receipt's shape.
    #[error("the install receipt is damaged")]
    Shape(#[source] serde_json::Error),
    /// Written by a later version.
    #[error("the install receipt has schema {found}; this program reads up to {RECEIPT_SCHEMA}")]
    Schema {
        /// The schema that it names.
        found: u32,
    },
}

impl Receipt {
    /// Parses a receipt.
    ///
    /// # Errors
    /// [`ReceiptError`], when the bytes are damaged or from the future.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReceiptError> {
        super::read_document(bytes, 1..=RECEIPT_SCHEMA, ReceiptError::Shape, |found| {
            ReceiptError::Schema { found }
        })
    }

    /// Pretty JSON with a final newline.
    ///
    /// # Errors
    /// [`ReceiptError::Shape`], which no receipt made by this code can cause.
    pub fn to_json(&self) -> Result<Vec<u8>, ReceiptError> {
        super::write_document(self).map_err(ReceiptError::Shape)
    }
}
