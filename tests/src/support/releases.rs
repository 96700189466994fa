//! Signed releases of banger, made with the project's own `banger-release` and a key of their own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use banger_installer::model::{Program, UnitSpec, Urgency};
use banger_release::{
    KeyPairPaths, KeygenOptions, PackOptions, Packed, Password, ReleaseSet, SigningKey,
};
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

    /// A sound release with the second archive, for programs and scripts that know no list.
    pub fn for_all(&self, version: &str) -> Result<Packed> {
        let units = place::workspace().join("units");
        self.pack_as(version, &programs::banger(version)?, units, set()?, true)
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
        let folder = self.folder.path().join(format!("scripted-{version}"));
        fs::create_dir_all(&folder)?;
        fs::copy(
            programs::banger(version)?.join("banger"),
            folder.join("banger"),
        )?;
        write_script(&folder.join("bangerd"), script)?;
        self.pack(version, &folder)
    }

    /// A sound release that consists of other things than the usual: without the unattended updates,
    /// and with a service, its socket and its program, `banger-extra`, and a manual page.
    pub fn wide(&self, version: &str) -> Result<Packed> {
        let folder = self.folder.path().join(format!("wide-{version}"));
        let units = folder.join("units");
        let page = folder.join("share/man/man8/banger-extra.8");
        fs::create_dir_all(&units)?;
        fs::create_dir_all(folder.join("share/man/man8"))?;
        let sound = programs::banger(version)?;
        for program in ["banger", "bangerd"] {
            fs::copy(sound.join(program), folder.join(program))?;
        }
        let extra = format!(
            "#!/bin/sh\ncase $1 in --version) echo banger-extra {version} ;; *) exec sleep 1000000 ;; esac\n"
        );
        write_script(&folder.join("banger-extra"), &extra)?;
        fs::write(page, ".TH banger-extra 8\n")?;
        let mut set = set()?;
        set.units
            .retain(|unit| !unit.name.as_str().starts_with("banger-update"));
        for unit in &set.units {
            let name = format!("{}.in", unit.name);
            fs::copy(
                place::workspace().join("units").join(&name),
                units.join(name),
            )?;
        }
        for (name, text) in EXTRA_UNITS {
            fs::write(units.join(format!("{name}.in")), text)?;
            set.units.push(UnitSpec {
                name: name
                    .parse()
                    .map_err(|error| Error::Wrong(format!("{error}")))?,
                enable: true,
                stateful: false,
                optional: false,
            });
        }
        set.programs.push(Program {
            name: "banger-extra".into(),
        });
        set.share = Some(folder.join("share"));
        self.pack_set(version, &folder, units, set)
    }

    /// A release whose program that plans is this script.
    pub fn planned_by(&self, version: &str, script: &str) -> Result<Packed> {
        let folder = self.folder.path().join(format!("planned-{version}"));
        fs::create_dir_all(&folder)?;
        let sound = programs::banger(version)?;
        fs::copy(sound.join("bangerd"), folder.join("bangerd"))?;
        write_script(&folder.join("banger"), script)?;
        self.pack(version, &folder)
    }

    /// Packs and signs what lies in `binaries`.
    pub fn pack(&self, version: &str, binaries: &Path) -> Result<Packed> {
        self.pack_with(version, binaries, place::workspace().join("units"))
    }

    /// The same with unit templates of its own.
    fn pack_with(&self, version: &str, binaries: &Path, units: PathBuf) -> Result<Packed> {
        self.pack_set(version, binaries, units, set()?)
    }

    fn pack_set(
        &self,
        version: &str,
        binaries: &Path,
        units: PathBuf,
        set: ReleaseSet,
    ) -> Result<Packed> {
        self.pack_as(version, binaries, units, set, false)
    }

    fn pack_as(
        &self,
        version: &str,
        binaries: &Path,
        units: PathBuf,
        set: ReleaseSet,
        legacy: bool,
    ) -> Result<Packed> {
        let parsed = |text: &str| {
            text.parse()
                .map_err(|error| Error::Wrong(format!("{text:?} is no version: {error}")))
        };
        let sequence = self.sequence.fetch_add(1, Ordering::SeqCst) + 1;
        banger_release::pack(&PackOptions {
            binaries: binaries.to_owned(),
            units,
            set,
            legacy,
            version: parsed(version)?,
            channel: "stable".to_owned(),
            target: banger_installer::fetch::host_target().to_owned(),
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
        let folder = release.archive.parent().unwrap_or(Path::new("."));
        let archives = release.manifest.artefacts.iter();
        let archives = archives.map(|artefact| folder.join(&artefact.name));
        for path in archives.chain([
            release.manifest_path.clone(),
            release.signature_path.clone(),
        ]) {
            if let Some(name) = path.file_name() {
                fs::copy(&path, self.public().join(name))?;
            }
        }
        Ok(())
    }
}

/// The units that [`Releases::wide`] brings.
const EXTRA_UNITS: [(&str, &str); 2] = [
    (
        "banger-extra.socket",
        "[Unit]\nDescription=an extra socket\n[Socket]\nListenStream=/run/banger-extra.sock\n\
         [Install]\nWantedBy=sockets.target\n",
    ),
    (
        "banger-extra.service",
        "[Unit]\nDescription=an extra service\n[Service]\nExecStart=@programs@/banger-extra\n",
    ),
];

/// What a release of banger consists of.
fn set() -> Result<ReleaseSet> {
    ReleaseSet::of_banger().map_err(|error| wrong(&error))
}

fn write_script(path: &Path, script: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, script)?;
    Ok(fs::set_permissions(
        path,
        std::fs::Permissions::from_mode(0o755),
    )?)
}

fn wrong(error: &banger_release::ReleaseError) -> Error {
    Error::Wrong(super::chain(error))
}
