//! Brings a release from its source onto the disk, without believing a byte of it too early.
//!
//! Guarantees: everything that is read from outside has a cap; a manifest leaves here only as bytes
//! for [`banger_installer_trust`]; an archive is spooled to a file that has no name, in a folder that only
//! its owner can enter, and reaches gunzip and tar only after size and SHA-256 are those that were
//! signed, through the very descriptor that was hashed.

mod address;
mod archive;
mod cause;
pub mod config;
mod error;
mod local;
mod mirrors;
mod names;
mod network;
mod no_mirror;
mod pace;
mod proxy;
mod range;
mod source;
mod spool;
mod transport;
pub mod unpack;

pub use config::{Config, ConfigError};
pub use error::FetchError;
pub use mirrors::Mirrors;
pub use names::{
    KEYS_NAME, MANIFEST_NAME, SIGNATURE_NAME, SIGNATURE_SUFFIX, manifest_name, signature_name,
    version_of_manifest,
};
pub use no_mirror::{MirrorError, NoMirror, Unfit};
pub use source::{SignedFile, Source};
pub use spool::{Progress, SpooledArchive};
pub use transport::{Limits, Transport};
pub use unpack::{ExpectedEntries, ExpectedEntry, UnpackError};

use banger_installer_host::error_kind;
use banger_installer_trust as verify;
use banger_installer_trust::model;

/// No list of signing keys is larger, in bytes.
pub const KEYS_LIMIT: u64 = 64 * 1024;
/// No manifest is larger, in bytes.
pub const MANIFEST_LIMIT: u64 = 1024 * 1024;
/// No signature is larger, in bytes.
pub const SIGNATURE_LIMIT: u64 = 16 * 1024;
/// No archive is larger, in bytes, whatever its manifest says.
pub const ARCHIVE_LIMIT: u64 = 512 * 1024 * 1024;

/// The target triple for which this program was built, as manifests name targets.
pub fn host_target() -> &'static str {
    self_update::get_target()
}
