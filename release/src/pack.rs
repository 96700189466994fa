//! From built programs and unit templates to a signed release.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use banger_installer::fetch::{ExpectedEntries, MANIFEST_NAME, SIGNATURE_NAME};
use banger_installer::model::{Artefact, ArtefactKind, KeyId, Manifest, Urgency, Version};
use jiff::{SignedDuration, Timestamp};

use crate::key::{SigningKey, sign_all};
use crate::sums::{SUMS_NAME, Sums, digest};
use crate::whole_file::{IfThere, write};
use crate::{PRODUCT, PROGRAMS, ReleaseError, UNITS, archive, sbom_name};

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
    /// The keys that sign, at least one; [`pack_and_open_keys`] takes others.
    pub keys: Vec<SigningKey>,
    /// Where the release is written; made when missing.
    pub out: PathBuf,
    /// The sequence number; [`default_sequence`] when missing.
    pub sequence: Option<u64>,
    /// When the release is made; now when missing.
    pub released: Option<Timestamp>,
    /// Days until the manifest expires.
    pub expires_days: u32,
    /// The lowest version that updates to this one.
    pub upgrades_from: Version,
    /// How soon people should take it.
    pub urgency: Urgency,
    /// What changed, for people: Markdown.
    pub notes: String,
    /// The software bill of materials, as [`crate::sbom`] writes it.
    pub sbom: Option<Vec<u8>>,
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
    /// Whose signatures it has.
    pub signers: Vec<KeyId>,
}

/// Seconds since 2020: grows without anyone keeping count.
pub fn default_sequence(now: Timestamp) -> u64 {
    u64::try_from(now.as_second() - YEAR_2020).unwrap_or(0)
}

/// What the signatures of a manifest say of it to people.
pub(crate) fn signature_comment(manifest: &Manifest) -> String {
    format!(
        "{PRODUCT} {} channel {} sequence {}",
        manifest.version, manifest.channel, manifest.sequence
    )
}

/// Packs, sums and signs a release.
///
/// # Errors
/// [`ReleaseError`]; nothing is written before everything has been read and checked.
pub fn pack(options: &PackOptions) -> Result<Packed, ReleaseError> {
    pack_and_open_keys(options, || Ok(options.keys.clone()))
}

/// The same with keys that are opened once nothing else is left to run: the programs that are packed
/// have said their versions, and whoever built them has ended.
///
/// # Errors
/// As [`pack`], and what `open_keys` gives.
pub fn pack_and_open_keys(
    options: &PackOptions,
    open_keys: impl FnOnce() -> Result<Vec<SigningKey>, ReleaseError>,
) -> Result<Packed, ReleaseError> {
    for program in PROGRAMS {
        check_version(&options.binaries.join(program), program, &options.version)?;
    }
    let name = format!("{PRODUCT}-{}-{}.tar.gz", options.version, options.target);
    let archive_path = options.out.join(&name);
    let archive_bytes = archive::write(read_files(options)?, options.source_date_epoch)
        .map_err(ReleaseError::write(&archive_path))?;
    let manifest = describe(options, &name, &archive_bytes)?;
    let manifest_bytes = manifest.to_json().map_err(ReleaseError::Manifest)?;
    let keys = open_keys()?;
    let signature = sign_all(&keys, &manifest_bytes, &signature_comment(&manifest))?;
    let packed = Packed {
        archive: archive_path,
        manifest_path: options.out.join(MANIFEST_NAME),
        signature_path: options.out.join(SIGNATURE_NAME),
        manifest,
        signers: keys.iter().map(SigningKey::id).collect(),
    };
    fs_err::create_dir_all(&options.out).map_err(ReleaseError::write(&options.out))?;
    // what is named comes before what names it
    let mut files = vec![(name, archive_bytes)];
    if let Some(sbom) = &options.sbom {
        files.push((sbom_name(&options.version), sbom.clone()));
    }
    let mut sums = Sums::default();
    for (name, bytes) in &files {
        sums.set(name, digest(bytes));
    }
    sums.set(MANIFEST_NAME, digest(&manifest_bytes));
    files.push((SUMS_NAME.into(), sums.to_string().into_bytes()));
    files.push((MANIFEST_NAME.into(), manifest_bytes));
    files.push((SIGNATURE_NAME.into(), signature.into_bytes()));
    for (name, bytes) in &files {
        write(&options.out.join(name), bytes, 0o644, IfThere::Replace)?;
    }
    Ok(packed)
}

/// Does the program say the version that the release has?
fn check_version(path: &Path, program: &str, expected: &Version) -> Result<(), ReleaseError> {
    let output = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
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

fn describe(options: &PackOptions, name: &str, archive: &[u8]) -> Result<Manifest, ReleaseError> {
    // whole seconds: what is shown is what is compared
    let released = options.released.unwrap_or_else(Timestamp::now);
    let released = Timestamp::from_second(released.as_second()).unwrap_or(released);
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
        sequence: options
            .sequence
            .unwrap_or_else(|| default_sequence(released)),
        released,
        expires,
        urgency: options.urgency,
        notes: options.notes.clone(),
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
