//! Signs bytes as minisign does, prehashed.

use std::io::Cursor;
use std::path::Path;

use minisign::{SecretKey, SecretKeyBox};

use crate::ReleaseError;

/// A secret key, opened.
#[derive(Debug)]
pub struct SigningKey(SecretKey);

impl SigningKey {
    /// Reads a minisign secret key file; never asks at a terminal.
    ///
    /// # Errors
    /// [`ReleaseError`], when the file is no key or the password does not open it.
    pub fn load(path: &Path, password_file: Option<&Path>) -> Result<Self, ReleaseError> {
        let text = fs_err::read_to_string(path).map_err(ReleaseError::read(path))?;
        let boxed = || SecretKeyBox::from(text.clone());
        let refused = |source| ReleaseError::Key {
            path: path.into(),
            source,
        };
        let Some(password_file) = password_file else {
            return match boxed().into_unencrypted_secret_key() {
                Ok(key) => Ok(Self(key)),
                Err(_) if is_encrypted(&text) => {
                    Err(ReleaseError::KeyEncrypted { path: path.into() })
                }
                Err(source) => Err(refused(source)),
            };
        };
        let password = read_password(password_file)?;
        boxed()
            .into_secret_key(Some(password))
            .map(Self)
            .map_err(refused)
    }
}

/// A signature file's text over `bytes`, with a trusted comment.
///
/// # Errors
/// [`ReleaseError::Minisign`].
pub fn sign(key: &SigningKey, bytes: &[u8], trusted_comment: &str) -> Result<String, ReleaseError> {
    minisign::sign(
        None,
        &key.0,
        Cursor::new(bytes),
        Some(trusted_comment),
        Some("signature of a banger release"),
    )
    .map(|signature| signature.to_string())
    .map_err(ReleaseError::Minisign)
}

/// The first line of a password file.
pub(crate) fn read_password(path: &Path) -> Result<String, ReleaseError> {
    let text = fs_err::read_to_string(path).map_err(ReleaseError::read(path))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.into()),
        _ => Err(ReleaseError::NoPassword { path: path.into() }),
    }
}

/// minisign's secret key begins with two bytes of signature algorithm ("Ed") and two of key
/// derivation, which are "Sc" with a password and zero without one: `RWRTY` in base64.
fn is_encrypted(text: &str) -> bool {
    text.lines()
        .nth(1)
        .is_some_and(|line| line.starts_with("RWRTY"))
}
