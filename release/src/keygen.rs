//! Makes a key pair in minisign's own formats.

use std::path::PathBuf;

use minisign::KeyPair;

use crate::ReleaseError;
use crate::sign::read_password;
use crate::whole_file::{IfThere, write};

/// Options of [`keygen`].
#[derive(Debug, Clone)]
pub struct KeygenOptions {
    /// The folder for both files; made when missing.
    pub out: PathBuf,
    /// A file whose first line encrypts the secret key; without it the key is not encrypted, as
    /// with `minisign -G -W`.
    pub password_file: Option<PathBuf>,
}

/// Where the keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPairPaths {
    /// `banger.key`, mode 0600: signs.
    pub secret: PathBuf,
    /// `banger.pub`: what installations trust.
    pub public: PathBuf,
}

/// Writes `banger.key` and `banger.pub`.
///
/// # Errors
/// [`ReleaseError::Exists`] when one of them is there; nothing is written then.
pub fn keygen(options: &KeygenOptions) -> Result<KeyPairPaths, ReleaseError> {
    let paths = KeyPairPaths {
        secret: options.out.join("banger.key"),
        public: options.out.join("banger.pub"),
    };
    fs_err::create_dir_all(&options.out).map_err(ReleaseError::write(&options.out))?;
    for path in [&paths.secret, &paths.public] {
        if fs_err::symlink_metadata(path).is_ok() {
            return Err(ReleaseError::Exists { path: path.clone() });
        }
    }
    let pair = match &options.password_file {
        Some(file) => KeyPair::generate_encrypted_keypair(Some(read_password(file)?)),
        None => KeyPair::generate_unencrypted_keypair(),
    }
    .map_err(ReleaseError::Minisign)?;
    let secret = pair
        .sk
        .to_box(Some("banger release signing key"))
        .map_err(ReleaseError::Minisign)?;
    let public = pair.pk.to_box().map_err(ReleaseError::Minisign)?;
    write(&paths.secret, &secret.to_bytes(), 0o600, IfThere::Refuse)?;
    write(&paths.public, &public.to_bytes(), 0o644, IfThere::Refuse)?;
    Ok(paths)
}
