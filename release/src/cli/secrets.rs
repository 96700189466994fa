//! Secret keys on the command line: where they lie and what opens them, never they themselves.

use std::path::PathBuf;

use banger_release::{ReleaseError, SecretFile, SigningKey, hide_from_own_user};
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

/// Where the keys of a command and their passwords lie: nothing of them has been read.
pub(super) struct Secrets {
    keys: Vec<SecretFile>,
    passwords: Vec<SecretFile>,
}

impl ReleaseKeys {
    /// Takes the descriptors from their numbers, and sees that the files can be used.
    pub(super) fn take(&self) -> Result<Secrets, ReleaseError> {
        take(&self.key_files, &self.key_descriptors, &self.passwords)
    }
}

impl RootKeys {
    /// Opens them all.
    pub(super) fn open(&self) -> Result<Vec<SigningKey>, ReleaseError> {
        take(&self.root_files, &self.root_descriptors, &self.passwords)?.open()
    }
}

impl Secrets {
    /// Reads them all; asks for the passwords that are missing.
    pub(super) fn open(&self) -> Result<Vec<SigningKey>, ReleaseError> {
        SigningKey::load_all(&self.keys, &self.passwords)
    }
}

fn take(
    files: &[PathBuf],
    descriptors: &[u32],
    passwords: &Passwords,
) -> Result<Secrets, ReleaseError> {
    hide_from_own_user()?;
    let named = |files: &[PathBuf]| files.iter().map(SecretFile::named).collect::<Vec<_>>();
    let (mut keys, mut opened_by) = (named(files), named(&passwords.files));
    // in one go: what is opened for one number must not be taken for another
    let numbers = [descriptors, &passwords.descriptors].concat();
    let mut taken = SecretFile::take_descriptors(&numbers)?;
    opened_by.extend(taken.split_off(descriptors.len()));
    keys.extend(taken);
    for secret in keys.iter().chain(&opened_by) {
        secret.check()?;
    }
    Ok(Secrets {
        keys,
        passwords: opened_by,
    })
}

/// The name of an open descriptor.
pub(super) fn descriptor(number: u32) -> PathBuf {
    format!("/proc/self/fd/{number}").into()
}
