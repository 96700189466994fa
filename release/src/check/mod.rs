//! Checks a published folder as a client would.
//!
//! Guarantees: what is believed here is believed by the code that installations run: the same keys,
//! signatures, lists, sizes, digests and unpacking. Nothing is written but to a temporary folder.

mod error;

use std::path::{Path, PathBuf};

use banger_installer_fetch::{
    ExpectedEntries, KEYS_LIMIT, KEYS_NAME, MANIFEST_LIMIT, MANIFEST_NAME, Mirrors, NoMirror,
    SignedFile, Source, Transport, host_target, manifest_name, version_of_manifest,
};
use banger_installer_trust::model::{Artefact, ArtefactKind, KeyList, Manifest};
use banger_installer_trust::{
    BuiltInKeys, Expectation, HashingWriter, KeyId, Keyring, ListExpectation, Measured, Pinned,
    Verified, verify_manifest,
};
use jiff::Timestamp;

pub use error::CheckError;

use crate::sums::{SUMS_NAME, Sums};
use crate::{PRODUCT, PROGRAMS, ReleaseError, UNITS, public_key, sbom_name};

/// Options of [`check`].
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// The published folder of a channel.
    pub folder: PathBuf,
    /// Public key files that sign manifests, for a client without root keys.
    pub keys: Vec<PathBuf>,
    /// Public key files of root keys: then the folder's list of keys says who signs.
    pub roots: Vec<PathBuf>,
    /// How many root keys must have signed the list; 1 when missing.
    pub root_threshold: Option<u32>,
    /// The time by which expiry is judged.
    pub now: Timestamp,
}

/// Something that a client would take.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Checked {
    /// The file.
    pub name: String,
    /// What was found right.
    pub fact: String,
}

/// Checks everything in a folder, and tells of each thing as it is found right.
///
/// # Errors
/// [`CheckError`], naming the first thing that is not.
pub fn check(options: &CheckOptions, tell: &mut dyn FnMut(Checked)) -> Result<(), CheckError> {
    let pinned = pin(options)?;
    let list = if pinned.wants_list() {
        Some(check_list(options, &pinned, tell)?)
    } else {
        None
    };
    let run = Run {
        options,
        keyring: pinned.keyring(list.as_ref()).map_err(CheckError::Keyring)?,
        staging: tempfile::tempdir().map_err(ReleaseError::write(&std::env::temp_dir()))?,
        sums: read_sums(&options.folder)?,
    };
    run.check(tell)
}

/// The keys as a client has them built in.
fn pin(options: &CheckOptions) -> Result<Pinned, CheckError> {
    let lines = |paths: &[PathBuf]| {
        let keys: Result<Vec<_>, _> = paths.iter().map(|path| public_key(path)).collect();
        let lines = keys?.into_iter().map(String::from).collect::<Vec<_>>();
        Ok::<_, ReleaseError>(lines.join(","))
    };
    let threshold = options.root_threshold.map(|count| count.to_string());
    let built_in = BuiltInKeys {
        roots: &lines(&options.roots)?,
        root_threshold: &threshold.unwrap_or_default(),
        signing: &lines(&options.keys)?,
    };
    let nowhere = Path::new("");
    Pinned::load(&built_in, nowhere, nowhere, 0).map_err(CheckError::Keyring)
}

fn check_list(
    options: &CheckOptions,
    pinned: &Pinned,
    tell: &mut dyn FnMut(Checked),
) -> Result<Verified<KeyList>, CheckError> {
    let name = KEYS_NAME;
    let file = signed(&options.folder, name, KEYS_LIMIT)?;
    let expectation = ListExpectation {
        product: PRODUCT.into(),
        now: options.now,
        clock_floor: None,
    };
    let list = pinned
        .verify_list(&file.bytes, &file.signature, None, &expectation)
        .map_err(CheckError::List)?;
    tell(Checked {
        name: name.into(),
        fact: format!(
            "{} of {} keys must sign, sequence {}, expires {}, signed by {}",
            list.threshold,
            list.keys.len(),
            list.sequence,
            list.expires,
            words(list.signed_by()),
        ),
    });
    Ok(list)
}

/// What every part of a check needs.
struct Run<'a> {
    options: &'a CheckOptions,
    keyring: Keyring,
    /// Goes with the check.
    staging: tempfile::TempDir,
    sums: Sums,
}

impl Run<'_> {
    fn check(&self, tell: &mut dyn FnMut(Checked)) -> Result<(), CheckError> {
        let folder = &self.options.folder;
        let newest = self.manifest(MANIFEST_NAME, false, tell)?;
        let own = manifest_name(&newest.version);
        if read(&folder.join(&own))? != newest.bytes() {
            return Err(CheckError::NotTheNewest { name: own });
        }
        for name in self.manifest_names()? {
            // what is not the newest may have expired
            let manifest = self.manifest(&name, name != own, tell)?;
            self.sums.get(&name).ok_or_else(|| unsummed(&name))?;
            for artefact in &manifest.artefacts {
                self.artefact(&manifest, artefact, tell)?;
            }
            let sbom = sbom_name(&manifest.version);
            if folder.join(&sbom).exists() {
                self.sums.get(&sbom).ok_or_else(|| unsummed(&sbom))?;
            }
        }
        self.check_sums(tell)
    }

    /// Verifies a manifest and its signatures.
    fn manifest(
        &self,
        name: &str,
        old: bool,
        tell: &mut dyn FnMut(Checked),
    ) -> Result<Verified<Manifest>, CheckError> {
        let SignedFile { bytes, signature } = signed(&self.options.folder, name, MANIFEST_LIMIT)?;
        // a client knows its channel and its target; here they are whatever is offered
        let claimed = Manifest::from_json(&bytes).ok();
        let target = claimed.as_ref().and_then(|manifest| {
            let releases = manifest.artefacts.iter();
            let mut releases = releases.filter(|artefact| {
                matches!(artefact.kind, ArtefactKind::Bundle | ArtefactKind::Release)
            });
            Some(releases.next()?.target.clone())
        });
        let expectation = Expectation {
            product: PRODUCT.into(),
            target: target.unwrap_or_else(|| host_target().into()),
            channel: claimed.map_or_else(String::new, |manifest| manifest.channel),
            version: version_of_manifest(name),
            highest_sequence: 0,
            now: self.options.now,
            clock_floor: None,
            allow_downgrade: old,
        };
        let refused = |source| {
            let (name, source) = (name.into(), Box::new(source));
            if old {
                CheckError::Older { name, source }
            } else {
                CheckError::Manifest { name, source }
            }
        };
        let manifest =
            verify_manifest(&bytes, &signature, &self.keyring, &expectation).map_err(refused)?;
        tell(Checked {
            name: name.into(),
            fact: format!(
                "{} {}, channel {}, sequence {}, expires {}, signed by {}",
                manifest.product,
                manifest.version,
                manifest.channel,
                manifest.sequence,
                manifest.expires,
                words(manifest.signed_by()),
            ),
        });
        Ok(manifest)
    }

    /// `manifest-VERSION.json`, in the order of their names.
    fn manifest_names(&self) -> Result<Vec<String>, CheckError> {
        let folder = &self.options.folder;
        let mut names = Vec::new();
        for entry in fs_err::read_dir(folder).map_err(ReleaseError::read(folder))? {
            let name = entry.map_err(ReleaseError::read(folder))?.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("manifest-") && name.ends_with(".json") {
                names.push(name.into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn artefact(
        &self,
        manifest: &Verified<Manifest>,
        artefact: &Artefact,
        tell: &mut dyn FnMut(Checked),
    ) -> Result<(), CheckError> {
        let name = &artefact.name;
        if artefact.url != *name {
            return Err(CheckError::Elsewhere {
                name: name.clone(),
                url: artefact.url.clone(),
            });
        }
        self.sums.get(name).ok_or_else(|| unsummed(name))?;
        // each kind of archive has its clients
        let unpacked = match artefact.kind {
            ArtefactKind::Bundle | ArtefactKind::Release => self.unpack(manifest, artefact)?,
            _ => String::new(),
        };
        let measured = measure(&self.options.folder.join(name))?;
        if (measured.size, measured.digest) != (artefact.size, artefact.digest) {
            return Err(CheckError::OtherBytes { name: name.clone() });
        }
        tell(Checked {
            name: name.clone(),
            fact: format!("{} bytes, {}{unpacked}", artefact.size, artefact.digest),
        });
        Ok(())
    }

    /// The way of an update, up to the unpacked files.
    fn unpack(
        &self,
        manifest: &Verified<Manifest>,
        artefact: &Artefact,
    ) -> Result<String, CheckError> {
        // made by the spooling, for its owner alone
        let staging = &self.staging.path().join("staging");
        let archive = Mirrors::from(source(&self.options.folder))
            .artefact(&Transport::system(), manifest, artefact, staging, &mut ())
            .map_err(NoMirror::into_most_telling)
            .map_err(CheckError::Fetch)?;
        let known = ExpectedEntries::of(PROGRAMS, UNITS);
        // programs that ask for the archive without a list take none that has one
        let expected = if artefact.kind == ArtefactKind::Bundle {
            known.or_listed(PRODUCT, &manifest.version)
        } else {
            known
        };
        let unpacked = staging.join(format!("{}-{}", manifest.version, artefact.target));
        let list = archive
            .unpack(&expected, &unpacked)
            .map_err(|source| CheckError::Unpack {
                name: artefact.name.clone(),
                source,
            })?;
        fs_err::remove_dir_all(&unpacked).map_err(ReleaseError::write(&unpacked))?;
        if artefact.kind == ArtefactKind::Bundle && list.is_none() {
            let name = artefact.name.clone();
            return Err(CheckError::NoList { name });
        }
        let files = list.map_or(expected.entries().len(), |list| list.files.len());
        Ok(format!(", {files} files unpacked"))
    }

    /// What people check by hand.
    fn check_sums(&self, tell: &mut dyn FnMut(Checked)) -> Result<(), CheckError> {
        for (name, digest) in self.sums.iter() {
            if measure(&self.options.folder.join(name))?.digest != digest {
                return Err(CheckError::OtherSum { name: name.into() });
            }
        }
        tell(Checked {
            name: SUMS_NAME.into(),
            fact: format!("{} files agree", self.sums.iter().count()),
        });
        Ok(())
    }
}

fn unsummed(name: &str) -> CheckError {
    CheckError::NoSum { name: name.into() }
}

fn words(ids: &[KeyId]) -> String {
    let words: Vec<String> = ids.iter().map(ToString::to_string).collect();
    words.join(", ")
}

fn source(folder: &Path) -> Source {
    Source::Folder {
        path: folder.into(),
        archive: None,
    }
}

/// A file with its signatures, as a client reads them.
fn signed(folder: &Path, name: &str, limit: u64) -> Result<SignedFile, CheckError> {
    let found = source(folder).signed(&Transport::system(), name, limit);
    found
        .map_err(CheckError::Fetch)?
        .ok_or_else(|| CheckError::Missing {
            path: folder.join(name),
        })
}

fn read(path: &Path) -> Result<Vec<u8>, CheckError> {
    Ok(fs_err::read(path).map_err(ReleaseError::read(path))?)
}

fn read_sums(folder: &Path) -> Result<Sums, CheckError> {
    let path = folder.join(SUMS_NAME);
    let text = String::from_utf8_lossy(&read(&path)?).into_owned();
    Sums::parse(&text).map_err(|line| CheckError::NotASum { path, line })
}

fn measure(path: &Path) -> Result<Measured, CheckError> {
    let mut hashing = HashingWriter::new(std::io::sink());
    fs_err::File::open(path)
        .and_then(|mut file| std::io::copy(&mut file, &mut hashing))
        .map_err(ReleaseError::read(path))?;
    Ok(hashing.finish().1)
}
