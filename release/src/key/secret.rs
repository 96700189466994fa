//! Secret keys, opened.
//!
//! Guarantees: a key leaves here only as signatures and as its public half; its debug text is its
//! id.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};

use banger_installer_trust::model::{KeyId, PublicKeyText};
use minisign::{PublicKey, SecretKey, SecretKeyBox};

use super::password::first_line;
use super::{Password, SecretFile};
use crate::ReleaseError;

/// A secret key, opened.
#[derive(Clone)]
pub struct SigningKey {
    pub(super) secret: SecretKey,
    public: PublicKeyText,
}

impl SigningKey {
    /// Reads a minisign secret key file; never asks at a terminal.
    ///
    /// # Errors
    /// [`ReleaseError`], when the file is no key, is open to others, or the password does not open
    /// it.
    pub fn load(path: &Path, password_file: Option<&Path>) -> Result<Self, ReleaseError> {
        let file = read(&SecretFile::named(path))?;
        let password = match password_file {
            _ if !file.encrypted => None,
            Some(password) => Some(first_line(&SecretFile::named(password))?),
            None => return Err(ReleaseError::KeyEncrypted { path: path.into() }),
        };
        open(file, password)
    }

    /// Reads several keys. The first of `password_files` opens the first key that is encrypted, and
    /// so on; when they run out, the terminal is asked.
    ///
    /// # Errors
    /// [`ReleaseError`], when one is no key, is open to others, cannot be opened, or is given twice.
    pub fn load_all(
        files: &[SecretFile],
        password_files: &[SecretFile],
    ) -> Result<Vec<Self>, ReleaseError> {
        let mut passwords: VecDeque<&SecretFile> = password_files.iter().collect();
        let mut keys: Vec<Self> = Vec::new();
        for file in files {
            let file = read(file)?;
            let password = match (file.encrypted, passwords.is_empty()) {
                (false, _) => None,
                (true, true) => Password::Ask.read(&file.path)?,
                (true, false) => passwords.pop_front().map(first_line).transpose()?,
            };
            let key = open(file, password)?;
            if keys.iter().any(|other| other.id() == key.id()) {
                return Err(ReleaseError::KeyTwice { id: key.id() });
            }
            keys.push(key);
        }
        match passwords.front() {
            Some(file) => Err(ReleaseError::PasswordLeft {
                path: file.path().into(),
            }),
            None => Ok(keys),
        }
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        self.public.id()
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKeyText {
        &self.public
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.id())
    }
}

/// A key file as it lies there.
struct KeyFile {
    path: PathBuf,
    text: String,
    encrypted: bool,
}

fn read(file: &SecretFile) -> Result<KeyFile, ReleaseError> {
    let text = file.read()?;
    // minisign's secret key begins with two bytes of signature algorithm ("Ed") and two of key
    // derivation, which are "Sc" with a password and zero without one: RWRTY in base64
    let encrypted = text
        .lines()
        .nth(1)
        .is_some_and(|line| line.starts_with("RWRTY"));
    Ok(KeyFile {
        path: file.path().into(),
        text,
        encrypted,
    })
}

fn open(file: KeyFile, password: Option<String>) -> Result<SigningKey, ReleaseError> {
    let comment = file.text.lines().next().unwrap_or_default();
    let refused = |comment: &str, source| ReleaseError::Key {
        path: file.path.clone(),
        comment: comment.chars().take(80).collect(),
        source,
    };
    // the comment, never the key, may be shown
    let comment = if comment.contains("comment") {
        comment.to_owned()
    } else {
        String::new()
    };
    let boxed = SecretKeyBox::from(file.text);
    let secret = match password {
        Some(password) => boxed.into_secret_key(Some(password)),
        None => boxed.into_unencrypted_secret_key(),
    }
    .map_err(|source| refused(&comment, source))?;
    let public = PublicKey::from_secret_key(&secret).map_err(ReleaseError::Minisign)?;
    let public = public.to_base64().parse().map_err(ReleaseError::KeyText)?;
    Ok(SigningKey { secret, public })
}
