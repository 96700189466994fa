//! Secret keys on the command line: where they lie and what opens them, never they themselves.

use std::path::PathBuf;

use banger_release::{ReleaseError, SigningKey};
use clap::Args;

/// What opens encrypted keys.
#[derive(Args)]
pub(super) struct Passwords {
    /// Open an encrypted key with the first line of this file; given again, the next encrypted key
    #[arg(long = "password-file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The same from an open descriptor
    #[arg(long = "password-fd", value_name = "N")]
    descriptors: Vec<u32>,
}

/// Keys that sign releases.
#[derive(Args)]
pub(super) struct ReleaseKeys {
    /// A secret key that signs; given again, one more signature
    #[arg(
        long = "key",
        value_name = "FILE",
        required_unless_present = "key_descriptors"
    )]
    key_files: Vec<PathBuf>,
    /// The same from an open descriptor
    #[arg(long = "key-fd", value_name = "N")]
    key_descriptors: Vec<u32>,
    #[command(flatten)]
    passwords: Passwords,
}

/// Keys that sign lists of keys.
#[derive(Args)]
pub(super) struct RootKeys {
    /// A secret root key that signs the list; given again, one more signature
    #[arg(
        long = "root-key",
        value_name = "FILE",
        required_unless_present = "root_descriptors"
    )]
    root_files: Vec<PathBuf>,
    /// The same from an open descriptor
    #[arg(long = "root-key-fd", value_name = "N")]
    root_descriptors: Vec<u32>,
    #[command(flatten)]
    passwords: Passwords,
}

impl ReleaseKeys {
    /// Opens them all.
    pub(super) fn open(&self) -> Result<Vec<SigningKey>, ReleaseError> {
        open(&self.key_files, &self.key_descriptors, &self.passwords)
    }
}

impl RootKeys {
    /// Opens them all.
    pub(super) fn open(&self) -> Result<Vec<SigningKey>, ReleaseError> {
        open(&self.root_files, &self.root_descriptors, &self.passwords)
    }
}

fn open(
    files: &[PathBuf],
    descriptors: &[u32],
    passwords: &Passwords,
) -> Result<Vec<SigningKey>, ReleaseError> {
    SigningKey::load_all(
        &both(files, descriptors),
        &both(&passwords.files, &passwords.descriptors),
    )
}

/// Files, then descriptors, which have names in /proc (proc(5)).
fn both(files: &[PathBuf], descriptors: &[u32]) -> Vec<PathBuf> {
    let named = descriptors.iter().map(|number| descriptor(*number));
    files.iter().cloned().chain(named).collect()
}

/// The name of an open descriptor.
pub(super) fn descriptor(number: u32) -> PathBuf {
    format!("/proc/self/fd/{number}").into()
}
