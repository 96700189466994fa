//! From built programs and unit templates to a signed release.

use std::path::{Path, PathBuf};
use std::process::Command;

use banger_installer::fetch::{ExpectedEntries, MANIFEST_NAME, SIGNATURE_NAME};
use banger_installer::model::{Artefact, ArtefactKind, Digest, Manifest, Urgency, Version};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::sign::{SigningKey, sign};
use crate::whole_file::{IfThere, write};
use crate::{PRODUCT, PROGRAMS, ReleaseError, UNITS, archive};

/// Seconds from 1970 to 2020, the beginning of sequence numbers.
const YEAR_2020: i64 = 1_577_836_800;

/// Options of [`pack`].
#[derive(Debug, Clone)]
pub struct PackOptions {
    /// The folder with the programs.
    pub binaries: PathBuf,
    /// The folder with the unit templates.
    pub units: PathBuf,
    /// The release's version; each program must say it.
    pub version: Version,
    /// The channel.
    pub channel: String,
    /// The target triple of the programs.
    pub target: String,
    /// The secret key.
    pub key: PathBuf,
    /// The file with its password.
    pub password_file: Option<PathBuf>,
    /// Where the release is written; made when missing.
    pub out: PathBuf,
    /// The sequence number; [`default_sequence`] when missing.
    pub sequence: Option<u64>,
    /// Days until the manifest expires.
    pub expires_days: u32,
    /// The lowest version that updates to this one.
    pub upgrades_from: Version,
    /// The time of every file in the archive, in seconds since 1970.
    pub source_date_epoch: u64,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Packed {
    /// The archive.
    pub archive: PathBuf,
    /// The manifest's file.
    pub manifest_path: PathBuf,
    /// Its signature.
    pub signature_path: PathBuf,
    /// What the manifest says.
    pub manifest: Manifest,
}

/// Seconds since 2020: grows without anyone keeping count.
pub fn default_sequence(now: Timestamp) -> u64 {
    u64::try_from(now.as_second() - YEAR_2020).unwrap_or(0)
}

/// Packs, sums and signs a release.
///
/// # Errors
/// [`ReleaseError`]; nothing is written before everything has been read and checked.
pub fn pack(options: &PackOptions) -> Result<Packed, ReleaseError> {
    let key = SigningKey::load(&options.key, options.password_file.as_deref())?;
    for program in PROGRAMS {
        check_version(&options.binaries.join(program), program, &options.version)?;
    }
    let name = format!("{PRODUCT}-{}-{}.tar.gz", options.version, options.target);
    let archive_path = options.out.join(&name);
    let archive_bytes = archive::write(read_files(options)?, options.source_date_epoch)
        .map_err(ReleaseError::write(&archive_path))?;
    let manifest = describe(options, &name, &archive_bytes, Timestamp::now())?;
    let manifest_bytes = manifest.to_json().map_err(ReleaseError::Manifest)?;
    let comment = format!(
        "{PRODUCT} {} channel {} sequence {}",
        manifest.version, manifest.channel, manifest.sequence
    );
    let signature = sign(&key, &manifest_bytes, &comment)?;
    let sums = format!(
        "{}  {MANIFEST_NAME}\n{}  {name}\n",
        digest(&manifest_bytes).hex(),
        digest(&archive_bytes).hex(),
    );
    let packed = Packed {
        archive: archive_path,
        manifest_path: options.out.join(MANIFEST_NAME),
        signature_path: options.out.join(SIGNATURE_NAME),
        manifest,
    };
    fs_err::create_dir_all(&options.out).map_err(ReleaseError::write(&options.out))?;
    let put = |path: &Path, bytes: &[u8]| write(path, bytes, 0o644, IfThere::Replace);
    // what is named comes before what names it
    put(&packed.archive, &archive_bytes)?;
    put(&options.out.join("SHA256SUMS"), sums.as_bytes())?;
    put(&packed.manifest_path, &manifest_bytes)?;
    put(&packed.signature_path, signature.as_bytes())?;
    Ok(packed)
}

/// Does the program say the version that the release has?
fn check_version(path: &Path, program: &str, expected: &Version) -> Result<(), ReleaseError> {
    let output = Command::new(path)
        .arg("--version")
        .output()
        .map_err(|source| ReleaseError::Run {
            program: path.display().to_string(),
            source,
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found =
        Version::from_version_line(program, &text).map_err(|source| ReleaseError::NoVersion {
            path: path.into(),
            source,
        })?;
    if found == *expected {
        Ok(())
    } else {
        Err(ReleaseError::OtherVersion {
            path: path.into(),
            found,
            expected: expected.clone(),
        })
    }
}

/// Reads what the installer will expect, from the folders where it lies here.
fn read_files(options: &PackOptions) -> Result<Vec<archive::File>, ReleaseError> {
    ExpectedEntries::of(PROGRAMS, UNITS)
        .entries()
        .iter()
        .map(|entry| {
            let path = match entry.path.split_once('/') {
                Some(("bin", name)) => options.binaries.join(name),
                Some((_, name)) => options.units.join(name),
                None => options.units.join(&entry.path),
            };
            Ok(archive::File {
                path: entry.path.clone(),
                mode: entry.mode,
                content: fs_err::read(&path).map_err(ReleaseError::read(&path))?,
            })
        })
        .collect()
}

fn describe(
    options: &PackOptions,
    name: &str,
    archive: &[u8],
    now: Timestamp,
) -> Result<Manifest, ReleaseError> {
    // whole seconds: what is shown is what is compared
    let released = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let expires = released
        .checked_add(SignedDuration::from_hours(
            24 * i64::from(options.expires_days),
        ))
        .map_err(|_| ReleaseError::Expiry {
            days: options.expires_days,
        })?;
    Ok(Manifest {
        product: PRODUCT.into(),
        version: options.version.clone(),
        channel: options.channel.clone(),
        sequence: options.sequence.unwrap_or_else(|| default_sequence(now)),
        released,
        expires,
        urgency: Urgency::default(),
        notes: String::new(),
        artefacts: vec![Artefact {
            name: name.into(),
            url: name.into(),
            kind: ArtefactKind::Release,
            target: options.target.clone(),
            size: archive.len() as u64,
            digest: digest(archive),
            upgrades_from: options.upgrades_from.clone(),
        }],
    })
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}
