//! The rules by which a signed manifest is taken or refused.

use banger_installer_host::{Format, Hint};
use jiff::Timestamp;

use super::{Keyring, SignatureError, Verified};
use crate::error_kind::ErrorKind;
use crate::model::{Artefact, Manifest, ManifestError, Version};

/// The most by which the sequence number may grow at once: ten years of seconds, since the release
/// tool counts in seconds. It keeps a stolen key from burning the whole range with one release.
pub const MAX_SEQUENCE_JUMP: u64 = 10 * 365 * 86_400;

/// What a manifest has to agree with.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The product that is installed.
    pub product: String,
    /// This machine's target triple.
    pub target: String,
    /// The channel that updates come from.
    pub channel: String,
    /// The version that was asked for, when one was.
    pub version: Option<Version>,
    /// The highest sequence number of a manifest that was ever taken; 0 for a first install.
    pub highest_sequence: u64,
    /// What the clock says.
    pub now: Timestamp,
    /// A time that has certainly passed: the latest `released` that was ever taken.
    pub clock_floor: Option<Timestamp>,
    /// The administrator wants an older release; lifts the rules on sequence numbers and on
    /// `expires`, which say what the newest release is, and no other.
    pub allow_downgrade: bool,
}

/// A manifest that is refused. Each says which rule it broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Nobody who counts vouches for it.
    #[error(transparent)]
    Signature(SignatureError),
    /// Signed bytes that are no manifest.
    #[error("the release's manifest cannot be read")]
    Manifest(#[source] ManifestError),
    /// Another product.
    #[error("the release is of {found:?}, not of {expected:?}")]
    OtherProduct {
        /// The manifest's.
        found: String,
        /// Ours.
        expected: String,
    },
    /// Another channel.
    #[error("the release is for channel {found:?}, this installation follows {expected:?}")]
    OtherChannel {
        /// The manifest's.
        found: String,
        /// Ours.
        expected: String,
    },
    /// Not the version that was asked for.
    #[error("release {asked} was asked for, and the source has release {found}")]
    OtherVersion {
        /// The manifest's.
        found: Version,
        /// The one that was asked for.
        asked: Box<Version>,
    },
    /// Too old to be the newest word.
    #[error("the manifest of release {version} expired at {expires}; it is {now}")]
    Expired {
        /// The release.
        version: Version,
        /// When it expired.
        expires: Timestamp,
        /// The time it was held against.
        now: Timestamp,
    },
    /// An older manifest than one seen before.
    #[error("release {version} is older than what was seen here: sequence {found}, seen {highest}")]
    Rollback {
        /// The release.
        version: Version,
        /// The manifest's sequence number.
        found: u64,
        /// The highest seen.
        highest: u64,
    },
    /// A sequence number from the far future.
    #[error(
        "the sequence number jumps from {highest} to {found}; the bound is {MAX_SEQUENCE_JUMP}"
    )]
    SequenceJump {
        /// The manifest's sequence number.
        found: u64,
        /// The highest seen.
        highest: u64,
    },
    /// Nothing in it for this machine.
    #[error(
        "release {version} has nothing for {target}; it has {}",
        list(available)
    )]
    NoArtefactForTarget {
        /// The release.
        version: Version,
        /// This machine's target.
        target: String,
        /// What there is.
        available: Vec<String>,
    },
    /// The installed version is too old for a direct step.
    #[error("release {to} updates from {lowest} or later; {installed} is installed")]
    UpgradeGap {
        /// The installed version.
        installed: Version,
        /// The release.
        to: Box<Version>,
        /// The lowest version that it updates from.
        lowest: Version,
    },
}

impl VerifyError {
    /// What to type, or whom to ask.
    pub fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::Signature(cause) => cause.hint(),
            Self::Manifest(_) => Hint::TooOldFor {
                format: Format::Manifest,
            },
            Self::OtherProduct { .. } | Self::OtherChannel { .. } => Hint::CheckSource,
            Self::OtherVersion { .. } => Hint::AskForNewest,
            Self::Expired { .. } => {
                "if the clock is right (date), the source is out of date: ask who runs it".into()
            }
            Self::Rollback { version, .. } => Hint::AllowDowngrade {
                version: version.to_string(),
            },
            Self::SequenceJump { .. } => {
                "do not use this release before its publisher has explained the number".into()
            }
            Self::NoArtefactForTarget { .. } => {
                "ask the publisher for a release for this machine (uname -m)".into()
            }
            Self::UpgradeGap { lowest, .. } => Hint::Text(format!("update to {lowest} first")),
        })
    }

    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Refused
    }
}

fn list(words: &[String]) -> String {
    if words.is_empty() {
        "no release archive at all".into()
    } else {
        words.join(", ")
    }
}

/// Takes or refuses the bytes of `manifest.json` with the text of its signature file.
///
/// The order matters: not a byte is parsed as JSON before a trusted key has vouched for all.
///
/// # Errors
/// [`VerifyError`], naming the first rule that is broken.
pub fn verify_manifest(
    bytes: &[u8],
    signature: &str,
    keyring: &Keyring,
    expectation: &Expectation,
) -> Result<Verified<Manifest>, VerifyError> {
    let signed_by = keyring
        .signers(bytes, signature)
        .map_err(VerifyError::Signature)?;
    let manifest = Manifest::from_json(bytes).map_err(VerifyError::Manifest)?;
    check_manifest(&manifest, expectation)?;
    Ok(Verified {
        value: manifest,
        bytes: bytes.to_vec(),
        signature: signature.into(),
        signed_by,
    })
}

fn check_manifest(manifest: &Manifest, expectation: &Expectation) -> Result<(), VerifyError> {
    let version = || manifest.version.clone();
    if manifest.product != expectation.product {
        return Err(VerifyError::OtherProduct {
            found: manifest.product.clone(),
            expected: expectation.product.clone(),
        });
    }
    if manifest.channel != expectation.channel {
        return Err(VerifyError::OtherChannel {
            found: manifest.channel.clone(),
            expected: expectation.channel.clone(),
        });
    }
    if let Some(asked) = expectation
        .version
        .as_ref()
        .filter(|asked| **asked != manifest.version)
    {
        return Err(VerifyError::OtherVersion {
            found: version(),
            asked: Box::new(asked.clone()),
        });
    }
    let floor = expectation.clock_floor.unwrap_or(expectation.now);
    let now = expectation.now.max(floor);
    if manifest.expires <= now && !expectation.allow_downgrade {
        return Err(VerifyError::Expired {
            version: version(),
            expires: manifest.expires,
            now,
        });
    }
    check_sequence(manifest, expectation)?;
    if manifest.release_for(&expectation.target).is_none() {
        return Err(VerifyError::NoArtefactForTarget {
            version: version(),
            target: expectation.target.clone(),
            available: manifest
                .artefacts
                .iter()
                .map(|artefact| artefact.target.clone())
                .collect(),
        });
    }
    Ok(())
}

fn check_sequence(manifest: &Manifest, expectation: &Expectation) -> Result<(), VerifyError> {
    let (found, highest) = (manifest.sequence, expectation.highest_sequence);
    if found < highest && !expectation.allow_downgrade {
        return Err(VerifyError::Rollback {
            version: manifest.version.clone(),
            found,
            highest,
        });
    }
    if highest > 0 && found.saturating_sub(highest) > MAX_SEQUENCE_JUMP {
        return Err(VerifyError::SequenceJump { found, highest });
    }
    Ok(())
}

/// May the installed version be updated to this artefact in one step?
///
/// # Errors
/// [`VerifyError::UpgradeGap`], when it is older than the artefact's `upgrades_from`.
pub fn check_upgrade(
    installed: &Version,
    to: &Version,
    artefact: &Artefact,
) -> Result<(), VerifyError> {
    if *installed < artefact.upgrades_from {
        return Err(VerifyError::UpgradeGap {
            installed: installed.clone(),
            to: Box::new(to.clone()),
            lowest: artefact.upgrades_from.clone(),
        });
    }
    Ok(())
}
