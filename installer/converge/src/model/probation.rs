//! The probation of a version: the time after an update in which its services must show that they stay
//! well.
//!
//! Written before the first service is restarted and removed when the time is over; what is in it is
//! all that a rollback by a service of its own needs. Fields that this version does not know are
//! kept.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FileImage, Version};

/// The schema that this code writes.
pub const PROBATION_SCHEMA: u32 = 1;

/// A version on probation: the contents of `trial.json` beside the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probation {
    /// [`PROBATION_SCHEMA`].
    pub schema: u32,
    /// The version on probation.
    pub version: Version,
    /// The version that comes back if it fails.
    pub previous: Version,
    /// When it was switched to.
    pub since: Timestamp,
    /// The product's own state as the version before wrote it, file by file.
    pub state: Vec<SavedFile>,
    /// Fields of later versions, kept as they are.
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// A file of the product's state as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFile {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub image: FileImage,
}

/// A probation that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbationError {
    /// Not JSON of its shape.
    #[error("the record of the version on probation is damaged")]
    Shape(#[source] serde_json::Error),
    /// Written by a later version.
    #[error(
        "the record of the version on probation has schema {found}; this program reads {PROBATION_SCHEMA}"
    )]
    Schema {
        /// The schema that it names.
        found: u32,
    },
}

impl Probation {
    /// Parses a probation.
    ///
    /// # Errors
    /// [`ProbationError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ProbationError> {
        super::read_document(
            bytes,
            PROBATION_SCHEMA..=PROBATION_SCHEMA,
            ProbationError::Shape,
            |found| ProbationError::Schema { found },
        )
    }

    /// Pretty JSON with a final newline.
    ///
    /// # Errors
    /// [`ProbationError::Shape`], which no probation made by this code can cause.
    pub fn to_json(&self) -> Result<Vec<u8>, ProbationError> {
        super::write_document(self).map_err(ProbationError::Shape)
    }
}

impl SavedFile {
    /// Whether the version before could not read what stands there now: state files are JSON with a
    /// number `schema`, and a version reads its own and lower ones.
    pub fn is_outgrown_by(&self, now: &[u8]) -> bool {
        let schema = |bytes: &[u8]| super::schema_of(bytes);
        match (schema(self.image.contents.as_bytes()), schema(now)) {
            (Ok(before), Ok(now)) => now > before,
            (Ok(_), Err(_)) => true,
            (Err(_), _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_version_before_cannot_read_is_outgrown() {
        let saved = |text: &str| SavedFile {
            path: "/x".into(),
            image: FileImage::private(text),
        };
        let before = saved(r#"{"schema":1,"a":1}"#);
        assert!(!before.is_outgrown_by(br#"{"schema":1,"a":2}"#));
        assert!(before.is_outgrown_by(br#"{"schema":2,"a":2}"#));
        assert!(before.is_outgrown_by(b"not JSON"));
        assert!(!saved("not JSON").is_outgrown_by(br#"{"schema":2}"#));
    }
}
