//! Puts a built release into a folder that a static file server serves.
//!
//! Guarantees: a client finds the release before or the new one, whole, whenever this program is
//! killed or the power goes. The next folder of the channel is built beside the present one, of hard
//! links to what stays and of synced files; then the two are exchanged by one rename (renameat2(2),
//! `RENAME_EXCHANGE`). So no manifest stands there without its files or with another's signature,
//! which writing one file after the other could not give: a manifest and its signature are two files.
//! Within the new folder, too, what is named is written before what names it.
//!
//! A client that fetches the manifest before the exchange and the signature after it finds that they
//! do not fit, and asks once more.

mod error;
mod folder;
mod rules;
mod withdraw;

use std::path::{Path, PathBuf};

use banger_installer_fetch::{
    KEYS_NAME, MANIFEST_NAME, SIGNATURE_NAME, manifest_name, signature_name,
};
use banger_installer_trust::model::{KeyList, Manifest};

pub use error::PublishError;
use folder::Next;
use rules::{Offer, Standing};
pub use withdraw::{WithdrawOptions, Withdrawn, withdraw};

use crate::key::{SignedList, split_signatures};
use crate::sums::{SUMS_NAME, Sums, digest};
use crate::{ReleaseError, sbom_name};

/// Options of [`publish`].
#[derive(Debug, Clone)]
pub struct PublishOptions {
    /// The folder that [`crate::pack`] wrote.
    pub release: PathBuf,
    /// The folder with a folder for each channel; made when missing.
    pub to: PathBuf,
    /// The list of signing keys, with its signatures beside it; the published one stays when there
    /// is none.
    pub keys: Option<PathBuf>,
}

/// What stands there now.
#[derive(Debug, Clone)]
pub struct Published {
    /// The channel's folder.
    pub folder: PathBuf,
    /// The newest release in it.
    pub manifest: Manifest,
    /// What the folder's `SHA256SUMS` names.
    pub files: usize,
}

/// Publishes a release.
///
/// # Errors
/// [`ReleaseError`]; what was published is as it was, then.
pub fn publish(options: &PublishOptions) -> Result<Published, ReleaseError> {
    let offer = read_offer(&options.release)?;
    let keys = options.keys.as_deref().map(SignedList::read).transpose()?;
    if let Some(keys) = keys.as_ref().filter(|keys| keys.signers().is_empty()) {
        return Err(PublishError::Unsigned {
            path: keys.path.clone(),
        }
        .into());
    }
    let channel = &offer.manifest.channel;
    let next = Next::begin(&options.to, channel)?;
    let standing = read_standing(next.present())?;
    rules::decide(&standing, &offer, keys.as_ref())?;
    let mut sums = standing.sums;
    next.build()?;
    // files that somebody took away by hand
    sums.retain(|name| next.has(name));
    for (name, digest) in &offer.files {
        next.copy(&options.release.join(name), name, *digest)?;
        sums.set(name, *digest);
    }
    let manifest = manifest_name(&offer.manifest.version);
    let signature = signature_name(&manifest);
    next.write(&signature, offer.signature.as_bytes())?;
    next.write(&manifest, &offer.bytes)?;
    // manifest.json is left out: it is manifest-VERSION.json, and moves on
    sums.set(&signature, digest(offer.signature.as_bytes()));
    sums.set(&manifest, digest(&offer.bytes));
    next.write(SUMS_NAME, sums.to_string().as_bytes())?;
    if let Some(keys) = &keys {
        next.write(&signature_name(KEYS_NAME), keys.signatures.as_bytes())?;
        next.write(KEYS_NAME, &keys.bytes)?;
    }
    next.write(SIGNATURE_NAME, offer.signature.as_bytes())?;
    next.write(MANIFEST_NAME, &offer.bytes)?;
    Ok(Published {
        folder: next.exchange()?,
        manifest: offer.manifest,
        files: sums.iter().count(),
    })
}

/// Reads a release as it was packed, and what belongs to it.
fn read_offer(folder: &Path) -> Result<Offer, ReleaseError> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs_err::read(&path).map_err(ReleaseError::read(&path))
    };
    let bytes = read(MANIFEST_NAME)?;
    let manifest = Manifest::from_json(&bytes).map_err(|source| PublishError::Manifest {
        path: folder.join(MANIFEST_NAME),
        source,
    })?;
    let signature = String::from_utf8_lossy(&read(SIGNATURE_NAME)?).into_owned();
    if split_signatures(&signature).is_empty() {
        let path = folder.join(MANIFEST_NAME);
        return Err(PublishError::Unsigned { path }.into());
    }
    let mut files: Vec<_> = manifest
        .artefacts
        .iter()
        .map(|artefact| (artefact.name.clone(), artefact.digest))
        .collect();
    let sbom = sbom_name(&manifest.version);
    if let Some(digest) = read_sums(folder)?.get(&sbom) {
        files.push((sbom, digest));
    }
    Ok(Offer {
        manifest,
        bytes,
        signature,
        files,
    })
}

/// What a channel's folder holds; nothing when there is none.
fn read_standing(folder: &Path) -> Result<Standing, ReleaseError> {
    let keys = folder.join(KEYS_NAME);
    Ok(Standing {
        manifest: optional(&folder.join(MANIFEST_NAME))?,
        sums: read_sums(folder)?,
        keys: match optional(&keys)? {
            Some(bytes) => {
                let list = KeyList::from_json(&bytes).map_err(ReleaseError::KeyList)?;
                Some((bytes, list))
            }
            None => None,
        },
    })
}

fn read_sums(folder: &Path) -> Result<Sums, ReleaseError> {
    let path = folder.join(SUMS_NAME);
    let text = String::from_utf8_lossy(&optional(&path)?.unwrap_or_default()).into_owned();
    Ok(Sums::parse(&text).map_err(|line| PublishError::Sums { path, line })?)
}

fn optional(path: &Path) -> Result<Option<Vec<u8>>, ReleaseError> {
    match fs_err::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ReleaseError::read(path)(error)),
    }
}
