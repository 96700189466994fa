//! Builds, packs and signs releases of banger.
//!
//! Guarantees: the same inputs give the same archive, byte for byte; a release is refused before it
//! is written when a program in it names another version; every file appears whole or not at all,
//! the signature after what it signs; the manifest is written by the type that installers read.

pub mod archive;
mod compile;
mod error;
mod keygen;
mod pack;
mod sign;
mod whole_file;

pub use compile::{BuildOptions, Profile, build};
pub use error::ReleaseError;
pub use keygen::{KeyPairPaths, KeygenOptions, keygen};
pub use pack::{PackOptions, Packed, default_sequence, pack};
pub use sign::{SigningKey, sign};

/// The product's name in manifests and archives.
pub const PRODUCT: &str = "banger";
/// The programs of a release.
pub const PROGRAMS: [&str; 2] = ["banger", "bangerd"];
/// The units of a release; their templates are `NAME.in`.
pub const UNITS: [&str; 8] = [
    "banger-rescue.service",
    "banger-update.service",
    "banger-update.timer",
    "banger.slice",
    "bangerd-root.service",
    "bangerd-root.socket",
    "bangerd.service",
    "bangerd.socket",
];
