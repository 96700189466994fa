use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{KeyId, Manifest, Urgency, Version};
use crate::verify::Verified;

/// What the signed manifest of a release says of it, for people and for the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReleaseInfo {
    /// Its version.
    pub version: Version,
    /// The channel that it is from.
    pub channel: String,
    /// The sequence number of its manifest.
    pub sequence: u64,
    /// When the manifest was signed.
    pub released: Timestamp,
    /// By which keys.
    pub signed_by: Vec<KeyId>,
    /// How soon people should take it.
    pub urgency: Urgency,
    /// What changed, for people.
    pub notes: String,
}

impl ReleaseInfo {
    pub(crate) fn of(manifest: &Verified<Manifest>) -> Self {
        Self {
            version: manifest.version.clone(),
            channel: manifest.channel.clone(),
            sequence: manifest.sequence,
            released: manifest.released,
            signed_by: manifest.signed_by().to_vec(),
            urgency: manifest.urgency,
            notes: manifest.notes.clone(),
        }
    }
}
