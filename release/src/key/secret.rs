//! Secret keys, opened.
//!
//! Guarantees: a key leaves here only as signatures and as its public half; its debug text is its
//! id.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};

use banger_installer::model::{KeyId, PublicKeyText};
use minisign::{PublicKey, SecretKey, SecretKeyBox};

use super::Password;
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
    /// [`ReleaseError`], when the file is no key or the password does not open it.
    pub fn load(path: &Path, password_file: Option<&Path>) -> Result<Self, ReleaseError> {
        let file = read(path)?;
        match password_file {
            _ if !file.encrypted => open(file, &Password::None),
            Some(password) => open(file, &Password::File(password.into())),
            None => Err(ReleaseError::KeyEncrypted { path: path.into() }),
        }
    }

    /// Reads several keys. The first of `password_files` opens the first key that is encrypted, and
    /// so on; when they run out, the terminal is asked.
    ///
    /// # Errors
    /// [`ReleaseError`], when one is no key, cannot be opened, or is given twice.
    pub fn load_all(
        paths: &[PathBuf],
        password_files: &[PathBuf],
    ) -> Result<Vec<Self>, ReleaseError> {
        let mut passwords: VecDeque<&PathBuf> = password_files.iter().collect();
        let mut keys: Vec<Self> = Vec::new();
        for path in paths {
            let file = read(path)?;
            let password = match (file.encrypted, passwords.is_empty()) {
                (false, _) => Password::None,
                (true, true) => Password::Ask,
                (true, false) => passwords
                    .pop_front()
                    .map_or(Password::Ask, |path| Password::File(path.clone())),
            };
            let key = open(file, &password)?;
            if keys.iter().any(|other| other.id() == key.id()) {
                return Err(ReleaseError::KeyTwice { id: key.id() });
            }
            keys.push(key);
        }
        match passwords.front() {
            Some(path) => Err(ReleaseError::PasswordLeft {
                path: (*path).clone(),
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
struct KeyFile<'a> {
    path: &'a Path,
    text: String,
    encrypted: bool,
}

fn read(path: &Path) -> Result<KeyFile<'_>, ReleaseError> {
    let text = fs_err::read_to_string(path).map_err(ReleaseError::read(path))?;
    // minisign's secret key begins with two bytes of signature algorithm ("Ed") and two of key
    // derivation, which are "Sc" with a password and zero without one: RWRTY in base64
    let encrypted = text
        .lines()
        .nth(1)
        .is_some_and(|line| line.starts_with("RWRTY"));
    Ok(KeyFile {
        path,
        text,
        encrypted,
    })
}

fn open(file: KeyFile<'_>, password: &Password) -> Result<SigningKey, ReleaseError> {
    let password = password.read(file.path)?;
    let comment = file.text.lines().next().unwrap_or_default();
    let refused = |comment: &str, source| ReleaseError::Key {
        path: file.path.into(),
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
