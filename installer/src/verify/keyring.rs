//! The keys whose signatures count.
//!
//! Guarantees: a key gets in by being built into the program or by lying in the keys' folder under
//! the conditions of [`super::trusted_file`]; one bad file there fails the whole ring, so that a
//! key is never left out in silence; an empty ring cannot be made.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use minisign_verify::PublicKey;
use rustix::fs::Dir;

pub use super::signature::KeyId;
use super::trusted_file::{self, TrustedFileError};
use crate::error_kind::ErrorKind;

/// More bytes than a minisign public key file ever has.
const KEY_FILE_LIMIT: u64 = 4096;
/// More keys than anyone needs; the folder is outside input.
const KEY_FILES_LIMIT: usize = 64;

/// The trusted keys, at least one.
#[derive(Debug, Clone)]
pub struct Keyring {
    keys: Vec<(KeyId, PublicKey)>,
}

/// A ring that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// No key anywhere.
    #[error("no trusted key: none is built in and none lies in {}", folder.display())]
    Empty {
        /// The keys' folder.
        folder: PathBuf,
    },
    /// A key that was built in is not one.
    #[error("the built-in key {text:?} is not a minisign public key")]
    BuiltIn {
        /// What was built in.
        text: String,
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
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Empty { folder } => Some(format!(
                "get the publisher's banger.pub by a way that you trust, then: \
                 sudo install -D -m 0644 banger.pub {}/banger.pub",
                folder.display()
            )),
            Self::BuiltIn { .. } => Some(
                "build again with BANGER_TRUSTED_KEYS set to the second line of a .pub file".into(),
            ),
            Self::NotAKey { path } => Some(format!(
                "replace it by the publisher's .pub file, or remove it: sudo rm {}",
                path.display()
            )),
            Self::TooMany { folder } => Some(format!("ls {}", folder.display())),
            Self::List { .. } => None,
            Self::Unsafe(cause) => cause.hint(),
        }
    }

    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Refused
    }
}

impl Keyring {
    /// The built-in keys (base64 public keys between white space or commas) and those of the
    /// `*.pub` files in `folder`. A missing folder is an empty one.
    ///
    /// # Errors
    /// [`KeyringError`], when a key cannot be read or trusted, or there is none.
    pub fn load(built_in: &str, folder: &Path, required_uid: u32) -> Result<Self, KeyringError> {
        let mut ring = Self { keys: Vec::new() };
        for text in built_in.split([',', ' ', '\t', '\r', '\n']) {
            if !text.is_empty() {
                let key = parse_line(text).ok_or_else(|| KeyringError::BuiltIn {
                    text: text.chars().take(100).collect(),
                })?;
                ring.add(key);
            }
        }
        ring.add_folder(folder, required_uid)?;
        if ring.keys.is_empty() {
            return Err(KeyringError::Empty {
                folder: folder.into(),
            });
        }
        Ok(ring)
    }

    /// The ids of all keys.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.keys.iter().map(|(id, _)| *id)
    }

    /// The keys with an id. Ids are 64 bits that anyone can choose, so there may be several.
    pub(super) fn with_id(&self, id: KeyId) -> impl Iterator<Item = &PublicKey> + '_ {
        self.keys
            .iter()
            .filter(move |(other, _)| *other == id)
            .map(|(_, key)| key)
    }

    fn add(&mut self, key: (KeyId, PublicKey)) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    fn add_folder(&mut self, folder: &Path, required_uid: u32) -> Result<(), KeyringError> {
        let Some(open) =
            trusted_file::open_folder(folder, required_uid).map_err(KeyringError::Unsafe)?
        else {
            return Ok(());
        };
        let list = |errno: rustix::io::Errno| KeyringError::List {
            folder: folder.into(),
            source: errno.into(),
        };
        let mut names = Vec::new();
        for entry in Dir::read_from(&open).map_err(list)? {
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
        for name in names {
            let path = folder.join(&name);
            let text =
                trusted_file::read_beneath(&open, &name, &path, required_uid, KEY_FILE_LIMIT)
                    .map_err(KeyringError::Unsafe)?;
            // a file that went between the listing and the opening is a file that is not there
            if let Some(text) = text {
                self.add(parse_file(&text).ok_or(KeyringError::NotAKey { path })?);
            }
        }
        Ok(())
    }
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
