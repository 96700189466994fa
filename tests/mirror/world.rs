//! A publisher, a server and an installation's view of them, in one expression.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use banger_installer::error_kind::ErrorKind;
use banger_installer::fetch::{
    ExpectedEntries, FetchError, Mirrors, NoMirror, Source, Transport, UnpackError, host_target,
};
use banger_installer::model::{Artefact, ArtefactKind, Digest, Manifest, Urgency, Version};
use banger_installer::verify::{Expectation, Keyring, VerifyError, verify_manifest};
use banger_release::archive::{self, File};
use banger_release::{KeygenOptions, PROGRAMS, Password, SigningKey, UNITS, keygen, sign};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

/// The sequence number of [`World::good_manifest`].
pub(crate) const SEQUENCE: u64 = 1000;

/// A publisher's key and release folder, and the folders of a host that follows it.
pub(crate) struct World {
    pub(crate) temp: tempfile::TempDir,
    /// What the publisher serves.
    pub(crate) dist: PathBuf,
    /// The publisher's keys.
    pub(crate) keys: PathBuf,
    /// What stands for the host: `keys.d` and `staging`, and nothing else may appear.
    pub(crate) host: PathBuf,
}

/// What stopped an update, at whichever stage.
#[derive(Debug)]
pub(crate) enum Stopped {
    Fetch(FetchError),
    Verify(VerifyError),
    Unpack(UnpackError),
}

impl Stopped {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Fetch(error) => error.kind(),
            Self::Verify(error) => error.kind(),
            Self::Unpack(error) => error.kind(),
        }
    }

    /// The message with all its causes and the hint, as a user sees it.
    pub(crate) fn shown(&self) -> String {
        let (error, hint): (&dyn std::error::Error, _) = match self {
            Self::Fetch(error) => (error, error.hint()),
            Self::Verify(error) => (error, error.hint()),
            Self::Unpack(error) => (error, error.hint()),
        };
        let hint = hint.map(|hint| format!(" ({})", banger_product::hint_text(&hint)));
        banger_installer::in_one_line(error) + &hint.unwrap_or_default()
    }
}

impl World {
    /// A publisher with one good release, and a host that trusts the publisher's key.
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let inside = |name: &str| temp.path().join(name);
        let (dist, keys, host) = (inside("dist"), inside("keys"), inside("host"));
        for folder in [&dist, &host, &host.join("keys.d")] {
            fs_err::create_dir(folder).unwrap();
        }
        let world = Self {
            temp,
            dist,
            keys,
            host,
        };
        Self::make_key(&world.keys);
        fs_err::copy(
            world.keys.join("banger.pub"),
            world.host.join("keys.d/banger.pub"),
        )
        .unwrap();
        world.publish(&good_archive());
        world
    }

    pub(crate) fn make_key(folder: &Path) {
        keygen(&KeygenOptions {
            out: folder.into(),
            name: "banger".into(),
            password: Password::None,
        })
        .unwrap();
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.host.join("staging")
    }

    /// Serves an archive with a manifest that names it, signed by the publisher.
    pub(crate) fn publish(&self, archive: &[u8]) {
        fs_err::write(self.dist.join(archive_name()), archive).unwrap();
        self.publish_manifest(&good_manifest(archive));
    }

    /// Signs and serves a manifest.
    pub(crate) fn publish_manifest(&self, manifest: &Manifest) {
        self.publish_signed_by(&self.keys.join("banger.key"), &manifest.to_json().unwrap());
    }

    /// Serves any bytes as a manifest, signed by a key.
    pub(crate) fn publish_signed_by(&self, key: &Path, bytes: &[u8]) {
        let key = SigningKey::load(key, None).unwrap();
        let signature = sign(&key, bytes, "a test").unwrap();
        fs_err::write(self.dist.join("manifest.json"), bytes).unwrap();
        fs_err::write(self.dist.join("manifest.json.minisig"), signature).unwrap();
    }

    /// What an up-to-date host expects.
    pub(crate) fn expectation() -> Expectation {
        Expectation {
            product: "banger".into(),
            target: host_target().into(),
            channel: "stable".into(),
            version: None,
            highest_sequence: SEQUENCE,
            now: Timestamp::now(),
            clock_floor: None,
            allow_downgrade: false,
        }
    }

    pub(crate) fn keyring(&self) -> Keyring {
        keyring_of(&self.host)
    }

    /// The whole way from a folder.
    pub(crate) fn update(&self) -> Result<PathBuf, Stopped> {
        let source = source_of(self.dist.to_str().unwrap());
        self.update_from(&source, &Transport::system(), &Self::expectation())
    }

    /// The whole way: fetch, verify, spool, unpack.
    pub(crate) fn update_from(
        &self,
        source: &Source,
        transport: &Transport,
        expectation: &Expectation,
    ) -> Result<PathBuf, Stopped> {
        let signed = source.manifest(transport).map_err(Stopped::Fetch)?;
        let manifest = verify_manifest(
            &signed.bytes,
            &signed.signature,
            &self.keyring(),
            expectation,
        )
        .map_err(Stopped::Verify)?;
        let staging = self.staging();
        let archive = Mirrors::from(source.clone())
            .archive(transport, &manifest, host_target(), &staging, &mut ())
            .map_err(NoMirror::into_most_telling)
            .map_err(Stopped::Fetch)?;
        let unpacked = staging.join("new");
        archive
            .unpack(&expected(), &unpacked)
            .map_err(Stopped::Unpack)?;
        Ok(unpacked)
    }

    /// Runs an update that must be refused; nothing but an empty staging folder may be new.
    pub(crate) fn refused(&self, outcome: Result<PathBuf, Stopped>) -> Stopped {
        let stopped = outcome.expect_err("a hostile release was taken");
        assert_eq!(
            tree(&self.host),
            self.untouched(),
            "a refused release left something behind: {}",
            stopped.shown()
        );
        tally(&stopped);
        stopped
    }

    fn untouched(&self) -> Vec<PathBuf> {
        let mut paths = vec!["keys.d".into(), "keys.d/banger.pub".into()];
        if self.staging().exists() {
            paths.push("staging".into());
        }
        paths
    }
}

/// Adds a line to the file that `BANGER_ATTACK_TALLY` names, so that a run over many processes can
/// tell how many hostile releases it saw refused, and with which words.
fn tally(stopped: &Stopped) {
    tally_words(&stopped.shown());
}

/// The same for a refusal by another process.
pub(crate) fn tally_words(said: &str) {
    if let Some(path) = std::env::var_os("BANGER_ATTACK_TALLY") {
        let line = said.replace('\n', " ") + "\n";
        fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap();
    }
}

/// Small caps, so that a bomb need not be large.
pub(crate) fn expected() -> ExpectedEntries {
    ExpectedEntries::of(PROGRAMS, UNITS)
        .or_listed("banger", &Version::new(0, 1, 1))
        .with_limits(64 * 1024, 256 * 1024)
}

/// The keys that a host trusts.
pub(crate) fn keyring_of(host: &Path) -> Keyring {
    Keyring::load("", &host.join("keys.d"), me()).unwrap()
}

/// A source of the only channel here.
pub(crate) fn source_of(text: &str) -> Source {
    Source::parse(text, "stable").unwrap()
}

pub(crate) fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

pub(crate) fn archive_name() -> String {
    format!("banger-0.1.1-{}.tar.gz", host_target())
}

/// The files of a good release.
pub(crate) fn good_files() -> Vec<File> {
    expected()
        .entries()
        .iter()
        .map(|entry| File {
            path: entry.path.clone(),
            mode: entry.mode,
            content: format!("content of {}\n", entry.path).into_bytes(),
        })
        .collect()
}

pub(crate) fn good_archive() -> Vec<u8> {
    archive::write(good_files(), 0).unwrap()
}

/// A manifest that holds for this machine and names the archive.
pub(crate) fn good_manifest(archive: &[u8]) -> Manifest {
    let released = Timestamp::now();
    Manifest {
        product: "banger".into(),
        version: Version::new(0, 1, 1),
        channel: "stable".into(),
        sequence: SEQUENCE,
        released,
        expires: released + SignedDuration::from_hours(24),
        urgency: Urgency::High,
        notes: "### Fixed\n\n- A hole.\n".into(),
        artefacts: vec![Artefact {
            name: archive_name(),
            url: archive_name(),
            kind: ArtefactKind::Release,
            target: host_target().into(),
            size: archive.len() as u64,
            digest: Digest::from_bytes(Sha256::digest(archive).into()),
            upgrades_from: Version::new(0, 0, 0),
        }],
    }
}

/// Every path beneath a folder, relative to it, sorted.
pub(crate) fn tree(folder: &Path) -> Vec<PathBuf> {
    let found = banger_tests::support::tree::tree(folder, &[]).unwrap();
    found.into_keys().collect()
}
