//! Signed releases of banger, made with the project's own `banger-release` and a key of their own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use banger_installer::model::Urgency;
use banger_release::{KeyPairPaths, KeygenOptions, PackOptions, Packed, Password, SigningKey};
use fs_err as fs;
use tempfile::TempDir;

use super::bad::Bad;
use super::{Error, Result, place, programs};

/// The one version that the stand-ins `broken-bangerd` and `bad-bangerd` say they have.
pub const BROKEN_VERSION: &str = "0.1.2";

/// A key, and the releases signed with it. Everything goes with the value.
#[derive(Debug)]
pub struct Releases {
    folder: TempDir,
    keys: KeyPairPaths,
    sequence: AtomicU64,
}

impl Releases {
    /// Makes a key; no release yet.
    pub fn new() -> Result<Self> {
        fs::create_dir_all(place::bench())?;
        let folder = tempfile::Builder::new()
            .prefix("releases-")
            .tempdir_in(place::bench())
            .map_err(Error::io("make a folder for releases"))?;
        let keys = banger_release::keygen(&KeygenOptions {
            out: folder.path().join("keys"),
            name: "banger".to_owned(),
            password: Password::None,
        })
        .map_err(|error| wrong(&error))?;
        fs::create_dir_all(folder.path().join("public"))?;
        Ok(Self {
            folder,
            keys,
            sequence: AtomicU64::new(1),
        })
    }

    /// The public key, a file.
    pub fn public_key(&self) -> &Path {
        &self.keys.public
    }

    /// The folder that a server serves.
    pub fn public(&self) -> PathBuf {
        self.folder.path().join("public")
    }

    /// A sound release. Its archive and manifest lie in a folder of their own until
    /// [`Releases::publish`].
    pub fn sound(&self, version: &str) -> Result<Packed> {
        self.pack(version, &programs::banger(version)?)
    }

    /// A sound release whose unit templates are those in a folder.
    pub fn with_units(&self, version: &str, units: PathBuf) -> Result<Packed> {
        self.pack_with(version, &programs::banger(version)?, units)
    }

    /// Release [`BROKEN_VERSION`], whose daemons give the right version and then do not come up.
    pub fn broken(&self) -> Result<Packed> {
        let version = BROKEN_VERSION;
        let sound = programs::banger(version)?;
        let folder = self.folder.path().join(format!("broken-{version}"));
        fs::create_dir_all(&folder)?;
        fs::copy(sound.join("banger"), folder.join("banger"))?;
        fs::copy(programs::own("broken-bangerd")?, folder.join("bangerd"))?;
        self.pack(version, &folder)
    }

    /// Release [`BROKEN_VERSION`], one of whose daemons is bad in this way.
    pub fn bad(&self, bad: Bad) -> Result<Packed> {
        let version = BROKEN_VERSION;
        let folder = self.folder.path().join(format!("{}-{version}", bad.word()));
        let units = folder.join("units");
        bad.write_units(&units)?;
        let sound = programs::banger(version)?;
        fs::copy(sound.join("banger"), folder.join("banger"))?;
        fs::copy(programs::own("bad-bangerd")?, folder.join("bangerd"))?;
        self.pack_with(version, &folder, units)
    }

    /// A release whose `banger` is sound and whose `bangerd` is this script.
    pub fn scripted(&self, version: &str, script: &str) -> Result<Packed> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = self.folder.path().join(format!("scripted-{version}"));
        fs::create_dir_all(&folder)?;
        fs::copy(
            programs::banger(version)?.join("banger"),
            folder.join("banger"),
        )?;
        let daemon = folder.join("bangerd");
        fs::write(&daemon, script)?;
        fs::set_permissions(&daemon, std::fs::Permissions::from_mode(0o755))?;
        self.pack(version, &folder)
    }

    /// Packs and signs what lies in `binaries`.
    pub fn pack(&self, version: &str, binaries: &Path) -> Result<Packed> {
        self.pack_with(version, binaries, place::workspace().join("units"))
    }

    /// The same with unit templates of its own.
    fn pack_with(&self, version: &str, binaries: &Path, units: PathBuf) -> Result<Packed> {
        let parsed = |text: &str| {
            text.parse()
                .map_err(|error| Error::Wrong(format!("{text:?} is no version: {error}")))
        };
        let sequence = self.sequence.fetch_add(1, Ordering::SeqCst) + 1;
        banger_release::pack(&PackOptions {
            binaries: binaries.to_owned(),
            units,
            set: banger_release::ReleaseSet::of_banger().map_err(|error| wrong(&error))?,
            legacy: false,
            version: parsed(version)?,
            channel: "stable".to_owned(),
            target: format!("{}-unknown-linux-gnu", std::env::consts::ARCH),
            keys: vec![SigningKey::load(&self.keys.secret, None).map_err(|error| wrong(&error))?],
            out: self.folder.path().join(format!("out-{version}")),
            sequence: Some(sequence),
            released: None,
            expires_days: 30,
            upgrades_from: parsed("0.1.0")?,
            urgency: Urgency::default(),
            notes: String::new(),
            sbom: None,
            source_date_epoch: 0,
        })
        .map_err(|error| wrong(&error))
    }

    /// Makes a release the newest in the served folder.
    pub fn publish(&self, release: &Packed) -> Result<()> {
        // What is named comes before what names it.
        for path in [
            &release.archive,
            &release.manifest_path,
            &release.signature_path,
        ] {
            if let Some(name) = path.file_name() {
                fs::copy(path, self.public().join(name))?;
            }
        }
        Ok(())
    }
}

fn wrong(error: &banger_release::ReleaseError) -> Error {
    Error::Wrong(super::chain(error))
}
