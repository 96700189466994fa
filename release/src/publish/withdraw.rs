//! Takes the newest release of a channel back: one that was published before is published again, under
//! a higher sequence number.
//!
//! Guarantees: nothing is signed here that was not believed first: the release that comes back has a
//! good signature of a key that its publisher named, and its files lie in the folder with the size and
//! digest that it says. The manifest of the withdrawn release goes, and nothing else does: a name means
//! the same bytes for ever. As in [`super`], a client finds the folder before or the new one, whole.

use std::path::{Path, PathBuf};

use banger_installer_fetch::{
    MANIFEST_NAME, SIGNATURE_NAME, manifest_name, signature_name, version_of_manifest,
};
use banger_installer_host::Version;
use banger_installer_trust::model::{Artefact, Manifest, PublicKeyText};
use banger_installer_trust::{
    Expectation, HashingWriter, Keyring, Verified, VerifyError, verify_manifest,
};
use jiff::{SignedDuration, Timestamp};

use super::folder::Next;
use super::{PublishError, optional, read_standing};
use crate::key::{SigningKey, sign_all};
use crate::pack::{default_sequence, signature_comment};
use crate::sums::{SUMS_NAME, digest};
use crate::{PRODUCT, ReleaseError};

/// Options of [`withdraw`].
#[derive(Debug, Clone)]
pub struct WithdrawOptions {
    /// The folder with a folder for each channel.
    pub from: PathBuf,
    /// The channel.
    pub channel: String,
    /// The version that is published again; the highest that is lower than the withdrawn one when
    /// missing.
    pub instead: Option<Version>,
    /// Public keys that signed the release which comes back, beside those that sign now.
    pub signed_by: Vec<PublicKeyText>,
    /// The sequence number; a higher one than the withdrawn release has when missing.
    pub sequence: Option<u64>,
    /// Days until the new manifest expires.
    pub expires_days: u32,
}

/// What was withdrawn, and what stands there now.
#[derive(Debug, Clone)]
pub struct Withdrawn {
    /// The channel's folder.
    pub folder: PathBuf,
    /// The release that was withdrawn.
    pub version: Version,
    /// The manifest that clients find from now on.
    pub manifest: Manifest,
}

/// Withdraws the newest release of a channel. `open_keys` gives the keys that sign what comes back.
///
/// # Errors
/// [`ReleaseError`]; what was published is as it was, then.
pub fn withdraw(
    options: &WithdrawOptions,
    open_keys: impl FnOnce() -> Result<Vec<SigningKey>, ReleaseError>,
) -> Result<Withdrawn, ReleaseError> {
    let folder = options.from.join(&options.channel);
    if !folder.is_dir() {
        return Err(PublishError::NothingPublished { path: folder }.into());
    }
    let next = Next::begin(&options.from, &options.channel)?;
    let standing = read_standing(next.present())?;
    let newest = published(next.present(), standing.manifest.as_deref())?;
    let version = match &options.instead {
        Some(version) => version.clone(),
        None => before(next.present(), &newest.version)?,
    };
    if version == newest.version {
        return Err(PublishError::SameVersion { version }.into());
    }
    let keys = open_keys()?;
    let mut trusted = options.signed_by.clone();
    trusted.extend(keys.iter().map(|key| key.public().clone()));
    let old = believed(next.present(), &version, &options.channel, &trusted)?;
    for artefact in &old.artefacts {
        check(next.present(), artefact)?;
    }
    let manifest = renewed(&old, newest.sequence, options)?;
    let bytes = manifest.to_json().map_err(ReleaseError::Manifest)?;
    let signature = sign_all(&keys, &bytes, &signature_comment(&manifest))?;

    next.build()?;
    let mut sums = standing.sums;
    let gone = manifest_name(&newest.version);
    next.remove(&gone)?;
    next.remove(&signature_name(&gone))?;
    sums.retain(|name| next.has(name));
    let name = manifest_name(&version);
    let signature_name = signature_name(&name);
    next.write(&signature_name, signature.as_bytes())?;
    next.write(&name, &bytes)?;
    sums.set(&signature_name, digest(signature.as_bytes()));
    sums.set(&name, digest(&bytes));
    next.write(SUMS_NAME, sums.to_string().as_bytes())?;
    next.write(SIGNATURE_NAME, signature.as_bytes())?;
    next.write(MANIFEST_NAME, &bytes)?;
    Ok(Withdrawn {
        folder: next.exchange()?,
        version: newest.version,
        manifest,
    })
}

/// The release that is to be withdrawn.
fn published(folder: &Path, bytes: Option<&[u8]>) -> Result<Manifest, PublishError> {
    let Some(bytes) = bytes else {
        return Err(PublishError::NothingPublished {
            path: folder.into(),
        });
    };
    Manifest::from_json(bytes).map_err(|source| PublishError::Manifest {
        path: folder.join(MANIFEST_NAME),
        source,
    })
}

/// The release before a version: the highest lower one that the folder has the manifest of.
fn before(folder: &Path, version: &Version) -> Result<Version, ReleaseError> {
    let mut found: Option<Version> = None;
    for entry in fs_err::read_dir(folder).map_err(ReleaseError::read(folder))? {
        let name = entry.map_err(ReleaseError::read(folder))?.file_name();
        let other = name.to_str().and_then(version_of_manifest);
        found = found.max(other.filter(|other| other < version));
    }
    Ok(found.ok_or_else(|| PublishError::NothingBefore {
        path: folder.into(),
        version: version.clone(),
    })?)
}

/// A manifest of the folder, once it is known to be its publisher's: whoever can write there must not
/// have a release of theirs signed by a withdrawal.
fn believed(
    folder: &Path,
    version: &Version,
    channel: &str,
    trusted: &[PublicKeyText],
) -> Result<Verified<Manifest>, ReleaseError> {
    let name = manifest_name(version);
    let path = folder.join(&name);
    let there =
        |found: Option<Vec<u8>>| found.ok_or_else(|| PublishError::NotThere { name: name.clone() });
    let bytes = there(optional(&path)?)?;
    let signature = folder.join(signature_name(&name));
    let signature = optional(&signature)?.ok_or(PublishError::Unsigned { path: path.clone() })?;
    let refused = |source: VerifyError| PublishError::NotBelieved {
        path: path.clone(),
        source: Box::new(source),
    };
    let claimed = Manifest::from_json(&bytes).map_err(|source| PublishError::Manifest {
        path: path.clone(),
        source,
    })?;
    let lines: Vec<&str> = trusted.iter().map(PublicKeyText::as_str).collect();
    let keyring = Keyring::load(&lines.join(","), Path::new(""), 0).map_err(ReleaseError::Keys)?;
    let expectation = Expectation {
        product: PRODUCT.into(),
        // a client knows its target; here it is whatever is offered
        target: claimed
            .artefacts
            .first()
            .map_or_else(String::new, |artefact| artefact.target.clone()),
        channel: channel.into(),
        version: Some(version.clone()),
        highest_sequence: 0,
        now: Timestamp::now(),
        clock_floor: None,
        // it may have expired
        allow_downgrade: true,
    };
    let signature = String::from_utf8_lossy(&signature);
    Ok(verify_manifest(&bytes, &signature, &keyring, &expectation).map_err(refused)?)
}

/// Whether a file of the release lies there as its manifest says.
fn check(folder: &Path, artefact: &Artefact) -> Result<(), ReleaseError> {
    let path = folder.join(&artefact.name);
    let mut hashing = HashingWriter::new(std::io::sink());
    fs_err::File::open(&path)
        .and_then(|mut file| std::io::copy(&mut file, &mut hashing))
        .map_err(ReleaseError::read(&path))?;
    let found = hashing.finish().1.digest;
    if found == artefact.digest {
        return Ok(());
    }
    Err(PublishError::Digest {
        name: artefact.name.clone(),
        found,
        said: artefact.digest,
    }
    .into())
}

/// The same release under a number that clients take for news.
fn renewed(
    old: &Manifest,
    published: u64,
    options: &WithdrawOptions,
) -> Result<Manifest, ReleaseError> {
    let now = Timestamp::now();
    let released = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let lifetime = SignedDuration::from_hours(24 * i64::from(options.expires_days));
    let expires = released
        .checked_add(lifetime)
        .map_err(|_| ReleaseError::Expiry {
            days: options.expires_days,
        })?;
    let grown = default_sequence(released).max(published.saturating_add(1));
    let sequence = options.sequence.unwrap_or(grown);
    if sequence <= published {
        return Err(PublishError::LowerSequence {
            what: "manifest",
            offered: sequence,
            published,
        }
        .into());
    }
    Ok(Manifest {
        sequence,
        released,
        expires,
        ..old.clone()
    })
}
