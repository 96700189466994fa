//! Builds, packs, signs, publishes and withdraws releases of banger, and keeps the keys that sign them.
//!
//! Guarantees: the same commit gives the same archive, byte for byte, wherever it is built; a release
//! is refused before it is written when a program in it names another version; every file appears
//! whole or not at all, the signature after what it signs; a published folder changes in one moment;
//! manifests and lists of keys are written by the types that installers read. RELEASES.md describes
//! the formats.

pub mod archive;
mod check;
mod compile;
mod error;
mod key;
pub mod notes;
mod pack;
mod publish;
mod reproducible;
mod sbom;
mod script;
mod set;
mod share;
mod sums;
mod whole_file;

pub use check::{CheckError, CheckOptions, Checked, check};
pub use compile::{BuildOptions, Profile, build, public_key};
pub use error::ReleaseError;
pub use key::{
    KeyPairPaths, KeygenOptions, ListChange, ListError, Password, SecretFile, SignedList,
    SigningKey, add_signature, change_list, hide_from_own_user, keygen, new_list, sign, sign_all,
    split_signatures,
};
pub use pack::{PackOptions, Packed, default_sequence, pack, pack_and_open_keys};
pub use publish::{
    PublishError, PublishOptions, Published, WithdrawOptions, Withdrawn, publish, withdraw,
};
pub use reproducible::commit_time;
pub use sbom::{SBOM_TOOL, sbom, sbom_name};
pub use script::{ScriptOptions, script};
pub use set::ReleaseSet;
pub use sums::{SUMS_NAME, Sums, digest};

// what a release is of, as the product says it
pub use banger_product::{NAME as PRODUCT, PROGRAMS, UNITS};

/// The crates whose programs those are, each with its folder in the workspace.
pub(crate) const CRATES: [(&str, &str); 2] =
    [("banger-cli", "runtime/cli"), ("banger-runtime", "runtime")];
