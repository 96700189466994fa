//! What the toolkit is told about the product that it installs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{InstalledSet, ReleaseList, UnitKind, UnitName};

/// A product: the names, programs, units and places that the toolkit handles for it.
///
/// ```
/// use std::path::Path;
///
/// use banger_installer::model::{Layout, Product, Program, UnitSpec};
///
/// let keeper = UnitSpec {
///     name: "toyd.service".parse()?,
///     enable: true,
///     keeps_children: true,
///     optional: false,
/// };
/// let toy = Product {
///     name: "toy".into(),
///     target: "x86_64-unknown-linux-gnu".into(),
///     programs: vec![Program { name: "toyd".into() }],
///     units: vec![keeper],
///     shared: Vec::new(),
///     layout: Layout {
///         versions: "/usr/local/lib/toy".into(),
///         programs: "/usr/local/bin".into(),
///         share: "/usr/local/share".into(),
///         units: "/etc/systemd/system".into(),
///         config: "/etc/toy".into(),
///         install_state: "/var/lib/toy-install".into(),
///         lock: "/run/toy-install.lock".into(),
///         product_state: vec!["/var/lib/toy".into()],
///     },
///     slice: "system.slice".parse()?,
///     scope_prefix: "toy-".into(),
///     required: Vec::new(),
///     rescue: None,
///     delegate: None,
///     state_files: Vec::new(),
/// };
/// assert_eq!(toy.layout.receipt(), Path::new("/etc/toy/install.json"));
/// assert_eq!(toy.keepers().count(), 1);
/// # Ok::<(), banger_installer::model::UnitNameError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Product {
    /// Short name; the prefix of archives (`NAME-VERSION-TARGET.tar.gz`) and of the `product` field
    /// of manifests.
    pub name: String,
    /// Target triple of this machine, as manifests name it.
    pub target: String,
    /// The programs of a release, in `bin/` of the archive.
    pub programs: Vec<Program>,
    /// The units of a release, in `units/` of the archive, in the order in which they start.
    pub units: Vec<UnitSpec>,
    /// Other files of a release that are linked beneath [`Layout::share`]: `share/man/man1/toy.1`.
    pub shared: Vec<String>,
    /// Where everything lies.
    pub layout: Layout,
    /// The slice that holds the survivors' scopes; one of `units`, or systemd's own.
    pub slice: UnitName,
    /// What the name of a survivor's scope starts with: `banger-vm-` for `banger-vm-ID.scope`.
    pub scope_prefix: String,
    /// What the host must have for the product to run.
    pub required: Vec<Requirement>,
    /// The unit that runs [`crate::toolkit::rescue`], one of `units`: it is started before a version
    /// is changed, and takes the change back when the updater dies or the version does not stay
    /// well.
    pub rescue: Option<UnitName>,
    /// Which program of a release makes the plan for it, and with what arguments; none where the
    /// installed program plans for every version.
    pub delegate: Option<Delegate>,
    /// The small files of the product's own state whose format a version may change.
    pub state_files: Vec<StateFiles>,
}

/// The program that plans and carries out what another version of the product began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegate {
    /// The program, in `bin/` of a release.
    pub program: String,
    /// Its first arguments; the handover's follow.
    pub words: Vec<String>,
}

/// Files of the product's state: JSON with a number `schema`, of which a version reads its own and
/// lower ones. What a version that is rolled back has raised is put back as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFiles {
    /// A folder that only root can write, with a folder for each thing.
    pub folder: PathBuf,
    /// The file's name in each of those.
    pub name: String,
}

/// Something that the host must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// A path that exists where the thing is present, say `/dev/kvm`.
    pub path: PathBuf,
    /// What it is, in a person's words.
    pub what: String,
    /// What to do where it is missing.
    pub hint: String,
}

/// A program of the product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// File name, and the first word of its version line.
    pub name: String,
}

/// A unit of the product. The archive holds its template, `units/NAME.in`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitSpec {
    /// The unit's name.
    pub name: UnitName,
    /// Enabled at install (it has an `[Install]` section).
    #[serde(default)]
    pub enable: bool,
    /// A service with children that must outlive it: its effective `KillMode` must be `process`
    /// before anything stops it, and its health is probed after a start.
    #[serde(default, rename = "stateful")]
    pub keeps_children: bool,
    /// Enabled and started only where somebody asked for updates without a person
    /// ([`super::Receipt::auto_update`]).
    #[serde(default)]
    pub optional: bool,
}

impl UnitSpec {
    /// Whether it is to start at boot.
    pub fn is_enabled(&self, auto_update: bool) -> bool {
        self.enable && (auto_update || !self.optional)
    }

    /// Whether it is to run all the time. A slice comes and goes with what is in it, and a service
    /// without children that must live is started by another unit when there is something to do.
    pub fn is_running(&self, auto_update: bool) -> bool {
        let stays = match self.name.kind() {
            UnitKind::Socket | UnitKind::Timer => true,
            UnitKind::Service => self.keeps_children,
            UnitKind::Slice | UnitKind::Scope => false,
        };
        stays && (auto_update || !self.optional)
    }
}

/// Where a product lies on the host. Every path is absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Versions and the link `current`: `/usr/local/lib/banger`.
    pub versions: PathBuf,
    /// Where programs are called: `/usr/local/bin`.
    pub programs: PathBuf,
    /// Where man pages, completions and documents are looked for: `/usr/local/share`.
    pub share: PathBuf,
    /// Where units are written: `/etc/systemd/system`.
    pub units: PathBuf,
    /// Receipt, configuration and keys: `/etc/banger`.
    pub config: PathBuf,
    /// The toolkit's own state, root 0700: `/var/lib/banger-install`.
    pub install_state: PathBuf,
    /// The lock of the one run that may change the host, on a file system that a boot empties, so
    /// that a run which changes nothing leaves nothing: `/run/banger-install.lock`.
    pub lock: PathBuf,
    /// Folders that belong to the product and go with `--purge`: state, caches, sockets.
    pub product_state: Vec<PathBuf>,
}

impl Product {
    /// The services whose children must outlive them.
    pub fn keepers(&self) -> impl Iterator<Item = &UnitName> {
        self.units
            .iter()
            .filter(|unit| unit.keeps_children)
            .map(|unit| &unit.name)
    }

    /// The same product with what a release says that it consists of.
    #[must_use]
    pub fn with_list(&self, list: &ReleaseList) -> Self {
        Self {
            programs: list.programs.clone(),
            units: list.units.clone(),
            shared: list.shared().map(str::to_owned).collect(),
            ..self.clone()
        }
    }

    /// The same product with what a version put on the host.
    #[must_use]
    pub fn with_set(&self, set: &InstalledSet) -> Self {
        Self {
            programs: set.programs.clone(),
            units: set.specs().cloned().collect(),
            shared: set.shared.clone(),
            ..self.clone()
        }
    }
}

impl Layout {
    /// The link that names the version in use.
    pub fn current(&self) -> PathBuf {
        self.versions.join("current")
    }

    /// The folder of one version.
    pub fn version(&self, version: &super::Version) -> PathBuf {
        self.versions.join(version.to_string())
    }

    /// The receipt.
    pub fn receipt(&self) -> PathBuf {
        self.config.join("install.json")
    }

    /// The trusted keys' folder.
    pub fn keys(&self) -> PathBuf {
        self.config.join("keys.d")
    }

    /// The administrator's configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The write-ahead journal.
    pub fn journal(&self) -> PathBuf {
        self.install_state.join("journal.json")
    }

    /// The record of a version on trial.
    pub fn trial(&self) -> PathBuf {
        self.install_state.join("trial.json")
    }

    /// The record of what a version put on the host.
    pub fn set(&self, version: &super::Version) -> PathBuf {
        self.install_state.join(format!("set-{version}.json"))
    }

    /// A program that is kept as long as only it can read the journal.
    pub fn keeper(&self) -> PathBuf {
        self.versions.join(".keeper")
    }

    /// The record of releases and keys that were seen.
    pub fn seen(&self) -> PathBuf {
        self.install_state.join("seen.json")
    }

    /// The folder of the administrator's root keys.
    pub fn roots(&self) -> PathBuf {
        self.config.join("roots.d")
    }

    /// Where a release is spooled and unpacked before it is published. On the file system of
    /// `versions`, so that publishing is one rename.
    pub fn staging(&self) -> PathBuf {
        self.versions.join(".staging")
    }

    /// The path of a unit file.
    pub fn unit(&self, name: &UnitName) -> PathBuf {
        self.units.join(name.as_str())
    }

    /// The toolkit's own drop-in of a unit: its name sorts behind all that people usually choose,
    /// and the last drop-in wins (systemd.unit(5)).
    pub fn keep_guests_drop_in(&self, name: &UnitName) -> PathBuf {
        self.units
            .join(format!("{name}.d"))
            .join("zzz-banger-keep-guests.conf")
    }

    /// The path under which a program is called.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Where a file of a release, `share/...`, is looked for on the host.
    pub fn shared(&self, path: &str) -> PathBuf {
        self.share.join(path.strip_prefix("share/").unwrap_or(path))
    }

    /// The same layout beneath another root folder, for tests and image builds.
    #[must_use]
    pub fn beneath(&self, root: &Path) -> Self {
        let moved = |path: &PathBuf| root.join(path.strip_prefix("/").unwrap_or(path));
        Self {
            versions: moved(&self.versions),
            programs: moved(&self.programs),
            share: moved(&self.share),
            units: moved(&self.units),
            config: moved(&self.config),
            install_state: moved(&self.install_state),
            lock: moved(&self.lock),
            product_state: self.product_state.iter().map(moved).collect(),
        }
    }
}
