//! From built programs and unit templates to a signed release.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use banger_installer_fetch::{MANIFEST_NAME, SIGNATURE_NAME};
use banger_installer_host::{
    HANDOVER, ListedFile, RELEASE_LIST_NAME, RELEASE_LIST_SCHEMA, ReleaseList,
};
use banger_installer_trust::model::{Artefact, ArtefactKind, KeyId, Manifest, Urgency, Version};
use jiff::{SignedDuration, Timestamp};

use crate::key::{SigningKey, sign_all};
use crate::sums::{SUMS_NAME, Sums, digest};
use crate::whole_file::{IfThere, write};
use crate::{PRODUCT, ReleaseError, ReleaseSet, archive, sbom_name};

/// Seconds from 1970 to 2020, the beginning of sequence numbers.
const YEAR_2020: i64 = 1_577_836_800;

/// Options of [`pack`].
#[derive(Debug, Clone)]
pub struct PackOptions {
    /// The folder with the programs.
    pub binaries: PathBuf,
    /// The folder with the unit templates.
    pub units: PathBuf,
    /// What belongs in the release.
    pub set: ReleaseSet,
    /// Write a second archive for installed programs that know neither a list nor another set of units
    /// than [`ReleaseSet::of_banger`].
    pub legacy: bool,
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
    for program in &options.set.programs {
        let path = options.binaries.join(&program.name);
        check_version(&path, &program.name, &options.version)?;
    }
    let archives = archives(options)?;
    let manifest = describe(options, &archives)?;
    let manifest_bytes = manifest.to_json().map_err(ReleaseError::Manifest)?;
    let keys = open_keys()?;
    let signature = sign_all(&keys, &manifest_bytes, &signature_comment(&manifest))?;
    let packed = Packed {
        archive: options.out.join(&archives[0].name),
        manifest_path: options.out.join(MANIFEST_NAME),
        signature_path: options.out.join(SIGNATURE_NAME),
        manifest,
        signers: keys.iter().map(SigningKey::id).collect(),
    };
    fs_err::create_dir_all(&options.out).map_err(ReleaseError::write(&options.out))?;
    // what is named comes before what names it
    let archives = archives.into_iter();
    let mut files: Vec<_> = archives.map(|one| (one.name, one.bytes)).collect();
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

/// An archive to be.
struct PackedArchive {
    name: String,
    kind: ArtefactKind,
    bytes: Vec<u8>,
}

/// The archive with the list first; then the one without, where it is wanted.
fn archives(options: &PackOptions) -> Result<Vec<PackedArchive>, ReleaseError> {
    let files = read_files(options)?;
    let stem = format!("{PRODUCT}-{}-{}", options.version, options.target);
    let written = |name: String, kind, files| {
        let bytes = archive::write(files, options.source_date_epoch)
            .map_err(ReleaseError::write(&options.out.join(&name)))?;
        Ok::<_, ReleaseError>(PackedArchive { name, kind, bytes })
    };
    let mut bundle = files.clone();
    bundle.push(archive::File {
        path: RELEASE_LIST_NAME.into(),
        mode: 0o644,
        content: list(options, &files)?,
    });
    let mut archives = vec![written(
        format!("{stem}.bundle.tar.gz"),
        ArtefactKind::Bundle,
        bundle,
    )?];
    if options.legacy && options.set.is_known_to_legacy() {
        let known = files.into_iter();
        let known = known.filter(|file| !file.path.starts_with("share/"));
        archives.push(written(
            format!("{stem}.tar.gz"),
            ArtefactKind::Release,
            known.collect(),
        )?);
    }
    Ok(archives)
}

/// The bytes of `release.json`.
fn list(options: &PackOptions, files: &[archive::File]) -> Result<Vec<u8>, ReleaseError> {
    let listed = |file: &archive::File| {
        let listed = ListedFile {
            mode: file.mode,
            sha256: digest(&file.content),
        };
        (file.path.clone(), listed)
    };
    let list = ReleaseList {
        schema: RELEASE_LIST_SCHEMA,
        product: PRODUCT.into(),
        version: options.version.clone(),
        handover: HANDOVER,
        programs: options.set.programs.clone(),
        units: options.set.units.clone(),
        files: files.iter().map(listed).collect::<BTreeMap<_, _>>(),
    };
    list.to_json().map_err(ReleaseError::Files)
}

/// Reads what belongs in the archives, from the folders where it lies here.
fn read_files(options: &PackOptions) -> Result<Vec<archive::File>, ReleaseError> {
    let set = &options.set;
    let programs = set.programs.iter().map(|program| {
        let path = format!("bin/{}", program.name);
        (path, 0o755, options.binaries.join(&program.name))
    });
    let units = set.units.iter().map(|unit| {
        let name = format!("{}.in", unit.name);
        (format!("units/{name}"), 0o644, options.units.join(name))
    });
    let mut sources: Vec<_> = programs.chain(units).collect();
    if let Some(share) = &set.share {
        find_shared(share, "share", &mut sources)?;
    }
    let read = |(path, mode, from): (String, u32, PathBuf)| {
        let content = fs_err::read(&from).map_err(ReleaseError::read(&from))?;
        Ok(archive::File {
            path,
            mode,
            content,
        })
    };
    sources.into_iter().map(read).collect()
}

/// Every file beneath a folder.
fn find_shared(
    folder: &Path,
    name: &str,
    found: &mut Vec<(String, u32, PathBuf)>,
) -> Result<(), ReleaseError> {
    let failed = || ReleaseError::read(folder);
    for entry in fs_err::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let path = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(failed())?.is_dir() {
            find_shared(&entry.path(), &path, found)?;
        } else {
            found.push((path, 0o644, entry.path()));
        }
    }
    Ok(())
}

fn describe(options: &PackOptions, archives: &[PackedArchive]) -> Result<Manifest, ReleaseError> {
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
        artefacts: archives
            .iter()
            .map(|archive| Artefact {
                name: archive.name.clone(),
                url: archive.name.clone(),
                kind: archive.kind,
                target: options.target.clone(),
                size: archive.bytes.len() as u64,
                digest: digest(&archive.bytes),
                upgrades_from: options.upgrades_from.clone(),
            })
            .collect(),
    })
}
