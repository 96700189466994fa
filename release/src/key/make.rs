//! Makes a key pair in minisign's own formats.

use std::path::PathBuf;

use minisign::KeyPair;

use super::Password;
use crate::ReleaseError;
use crate::whole_file::{IfThere, write};

/// Options of [`keygen`].
#[derive(Debug, Clone)]
pub struct KeygenOptions {
    /// The folder for both files; made when missing.
    pub out: PathBuf,
    /// The files' name without its suffix.
    pub name: String,
    /// What encrypts the secret key; [`Password::None`] is minisign's `-W`.
    pub password: Password,
}

/// Where the keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPairPaths {
    /// `NAME.key`, mode 0600: signs.
    pub secret: PathBuf,
    /// `NAME.pub`: what installations trust.
    pub public: PathBuf,
}

/// Writes `NAME.key` and `NAME.pub`.
///
/// # Errors
/// [`ReleaseError::Exists`] when one of them is there; nothing is written then.
pub fn keygen(options: &KeygenOptions) -> Result<KeyPairPaths, ReleaseError> {
    let name = &options.name;
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        return Err(ReleaseError::KeyName { name: name.clone() });
    }
    let paths = KeyPairPaths {
        secret: options.out.join(format!("{name}.key")),
        public: options.out.join(format!("{name}.pub")),
    };
    for path in [&paths.secret, &paths.public] {
        if fs_err::symlink_metadata(path).is_ok() {
            return Err(ReleaseError::Exists { path: path.clone() });
        }
    }
    let pair = match options.password.choose(&paths.secret)? {
        Some(password) => KeyPair::generate_encrypted_keypair(Some(password)),
        None => KeyPair::generate_unencrypted_keypair(),
    }
    .map_err(ReleaseError::Minisign)?;
    let secret = pair
        .sk
        .to_box(Some("banger release signing key"))
        .map_err(ReleaseError::Minisign)?;
    let public = pair.pk.to_box().map_err(ReleaseError::Minisign)?;
    fs_err::create_dir_all(&options.out).map_err(ReleaseError::write(&options.out))?;
    write(&paths.secret, &secret.to_bytes(), 0o600, IfThere::Refuse)?;
    write(&paths.public, &public.to_bytes(), 0o644, IfThere::Refuse)?;
    Ok(paths)
}
