//! Public keys, and where they are read from.
//!
//! Guarantees: a key gets in by being built into the program, by standing in a list that root keys
//! signed, or by lying in a folder under the conditions of [`super::trusted_file`]; one bad file
//! there fails the whole set, so that a key is never left out in silence.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use minisign_verify::PublicKey;
use rustix::fs::Dir;

use banger_installer_host::Hint;

use super::trusted_file::{self, TrustedFileError};
use crate::error_kind::ErrorKind;
use crate::model::{KeyId, PublicKeyText};

/// More bytes than a minisign public key file ever has.
const KEY_FILE_LIMIT: u64 = 4096;
/// More keys than anyone needs; the folder is outside input.
const KEY_FILES_LIMIT: usize = 64;

/// Keys that may all do the same.
#[derive(Debug, Clone, Default)]
pub(super) struct KeySet(Vec<(KeyId, PublicKey)>);

/// Keys that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// No key anywhere.
    #[error("no trusted key: none is built in and none lies in {}", folder.display())]
    Empty {
        /// The keys' folder.
        folder: PathBuf,
    },
    /// There are root keys, and no list that they signed.
    #[error("no list of signing keys: root keys are trusted here, and nothing that they signed")]
    NoList,
    /// A key that was built in is not one.
    #[error("the built-in key {text:?} is not a minisign public key")]
    BuiltIn {
        /// What was built in.
        text: String,
    },
    /// The number of root keys that was built in cannot stand.
    #[error("the built-in threshold {text:?} is not a number from 1 to {roots}")]
    Threshold {
        /// What was built in.
        text: String,
        /// How many root keys there are.
        roots: usize,
    },
    /// A file in the folder is not a key.
    #[error("{} is not a minisign public key", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// Too many files.
    #[error("{} holds more than {KEY_FILES_LIMIT} keys", folder.display())]
    TooMany {
        /// The keys' folder.
        folder: PathBuf,
    },
    /// The folder cannot be listed.
    #[error("cannot list {}", folder.display())]
    List {
        /// The keys' folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder or a file in it is not to be trusted.
    #[error("the trusted keys cannot be relied on")]
    Unsafe(#[source] TrustedFileError),
}

impl KeyringError {
    /// What to type.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Empty { folder } => Some(Hint::AddFirstKey {
                folder: folder.clone(),
            }),
            Self::NoList => {
                Some("the source must hold keys.json and keys.json.minisig: ask who runs it".into())
            }
            Self::BuiltIn { .. } => Some(Hint::BuildKeys),
            Self::Threshold { .. } => Some(Hint::BuildThreshold),
            Self::NotAKey { path } => Some(Hint::Text(format!(
                "replace it by the publisher's .pub file, or remove it: sudo rm {}",
                path.display()
            ))),
            Self::TooMany { folder } => Some(Hint::Text(format!("ls {}", folder.display()))),
            Self::List { .. } => None,
            Self::Unsafe(cause) => cause.hint(),
        }
    }

    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Refused
    }
}

impl KeySet {
    /// Base64 public keys between white space or commas.
    pub(super) fn built_in(text: &str) -> Result<Self, KeyringError> {
        let mut set = Self::default();
        for word in text.split([',', ' ', '\t', '\r', '\n']) {
            if !word.is_empty() {
                set.add(parse_line(word).ok_or_else(|| KeyringError::BuiltIn {
                    text: word.chars().take(100).collect(),
                })?);
            }
        }
        Ok(set)
    }

    /// The keys of a list; one that is no point of the curve verifies nothing, and is none.
    pub(super) fn listed(keys: &[PublicKeyText]) -> Self {
        let parsed = keys.iter().filter_map(|key| parse_line(key.as_str()));
        Self(parsed.collect())
    }

    /// The `*.pub` files in a folder. A missing folder is an empty one.
    pub(super) fn in_folder(folder: &Path, required_uid: u32) -> Result<Self, KeyringError> {
        let mut set = Self::default();
        let Some(open) =
            trusted_file::open_folder(folder, required_uid).map_err(KeyringError::Unsafe)?
        else {
            return Ok(set);
        };
        for name in names_in(&open, folder)? {
            let path = folder.join(&name);
            let text =
                trusted_file::read_beneath(&open, &name, &path, required_uid, KEY_FILE_LIMIT)
                    .map_err(KeyringError::Unsafe)?;
            // a file that went between the listing and the opening is a file that is not there
            if let Some(text) = text {
                set.add(parse_file(&text).ok_or(KeyringError::NotAKey { path })?);
            }
        }
        Ok(set)
    }

    /// Both sets' keys.
    pub(super) fn and(mut self, other: Self) -> Self {
        for key in other.0 {
            self.add(key);
        }
        self
    }

    /// Without those that are revoked.
    pub(super) fn without(&self, revoked: &[KeyId]) -> Self {
        let kept = self.0.iter().filter(|(id, _)| !revoked.contains(id));
        Self(kept.cloned().collect())
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.0.iter().map(|(id, _)| *id)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, id: KeyId) -> bool {
        self.with_id(id).next().is_some()
    }

    /// The keys with an id.
    pub(super) fn with_id(&self, id: KeyId) -> impl Iterator<Item = &PublicKey> + '_ {
        self.0
            .iter()
            .filter(move |(other, _)| *other == id)
            .map(|(_, key)| key)
    }

    fn add(&mut self, key: (KeyId, PublicKey)) {
        if !self.0.contains(&key) {
            self.0.push(key);
        }
    }
}

/// The names of the `*.pub` files, sorted.
fn names_in(open: &std::fs::File, folder: &Path) -> Result<Vec<PathBuf>, KeyringError> {
    let list = |errno: rustix::io::Errno| KeyringError::List {
        folder: folder.into(),
        source: errno.into(),
    };
    let mut names = Vec::new();
    for entry in Dir::read_from(open).map_err(list)? {
        let entry = entry.map_err(list)?;
        let name = Path::new(std::ffi::OsStr::from_bytes(entry.file_name().to_bytes()));
        if name.extension().is_some_and(|suffix| suffix == "pub") {
            names.push(name.to_path_buf());
        }
        if names.len() > KEY_FILES_LIMIT {
            return Err(KeyringError::TooMany {
                folder: folder.into(),
            });
        }
    }
    names.sort();
    Ok(names)
}

fn parse_line(base64: &str) -> Option<(KeyId, PublicKey)> {
    let key = PublicKey::from_base64(base64).ok()?;
    Some((KeyId::of_line(base64)?, key))
}

/// A minisign `.pub` file: a comment line, then the key.
fn parse_file(text: &str) -> Option<(KeyId, PublicKey)> {
    let mut lines = text.lines();
    let comment = lines.next()?;
    let key = lines.next()?.trim();
    (comment.starts_with("untrusted comment:") && lines.all(|line| line.trim().is_empty()))
        .then(|| parse_line(key))?
}
