//! Where the password of a secret key comes from.
//!
//! Guarantees: never from the command line and never from the environment, where other programs
//! could read it.

use std::path::{Path, PathBuf};

use super::SecretFile;
use crate::ReleaseError;

/// What opens a secret key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// Nothing: the key is not encrypted.
    None,
    /// The first line of a file; `/proc/self/fd/N` for a descriptor.
    File(PathBuf),
    /// A person at the terminal.
    Ask,
}

impl Password {
    /// The password itself, for the key at `path`; none when the key has none.
    pub(super) fn read(&self, path: &Path) -> Result<Option<String>, ReleaseError> {
        match self {
            Self::None => Ok(None),
            Self::File(file) => first_line(&SecretFile::named(file)).map(Some),
            Self::Ask => ask(&format!("Password of {}: ", path.display()))
                .map(Some)
                .ok_or_else(|| ReleaseError::KeyEncrypted { path: path.into() }),
        }
    }

    /// A password for a new key; a person types it twice.
    pub(super) fn choose(&self, path: &Path) -> Result<Option<String>, ReleaseError> {
        if *self != Self::Ask {
            return self.read(path);
        }
        let asked = |prompt: &str| {
            ask(prompt).ok_or_else(|| ReleaseError::NobodyToAsk { path: path.into() })
        };
        let first = asked(&format!("Password for {}: ", path.display()))?;
        if first.is_empty() {
            return Err(ReleaseError::EmptyPassword);
        }
        if asked("Once more: ")? != first {
            return Err(ReleaseError::OtherPassword);
        }
        Ok(Some(first))
    }
}

/// Asks at the controlling terminal; none when there is nobody.
fn ask(prompt: &str) -> Option<String> {
    rpassword::prompt_password(prompt).ok()
}

/// The password in a file.
pub(super) fn first_line(file: &SecretFile) -> Result<String, ReleaseError> {
    match file.read()?.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.into()),
        _ => Err(ReleaseError::NoPassword {
            path: file.path().into(),
        }),
    }
}
