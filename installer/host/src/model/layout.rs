//! Where a product lies on the host.

use std::path::{Path, PathBuf};

use super::UnitName;

/// Where a product lies on the host. Every path is absolute.
///
/// ```
/// use std::path::Path;
///
/// use banger_installer_host::Layout;
///
/// let mut acme = Layout::new("acme");
/// acme.versions = "/opt/acme".into();
/// assert_eq!(acme.current(), Path::new("/opt/acme/current"));
/// assert_eq!(acme.receipt(), Path::new("/etc/acme/install.json"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layout {
    /// Whose it is; names of files that stand among others' are derived from it.
    product: String,
    /// Versions and the link `current`: `/usr/local/lib/acme`.
    pub versions: PathBuf,
    /// Where programs are called: `/usr/local/bin`.
    pub programs: PathBuf,
    /// Where man pages, completions and documents are looked for: `/usr/local/share`.
    pub share: PathBuf,
    /// Where units are written: `/etc/systemd/system`.
    pub units: PathBuf,
    /// Receipt, configuration and keys: `/etc/acme`.
    pub config: PathBuf,
    /// The toolkit's own state, root 0700: `/var/lib/acme-install`.
    pub install_state: PathBuf,
    /// The lock of the one operation that may change the host, on a file system that a boot empties, so
    /// that an operation which changes nothing leaves nothing: `/run/acme-install.lock`.
    pub lock: PathBuf,
    /// Folders that belong to the product and go with `--purge`: state, caches, sockets.
    pub product_state: Vec<PathBuf>,
}

impl Layout {
    /// The conventional places of a product: beneath `/usr/local`, `/etc`, `/var/lib` and `/run`.
    pub fn new(product: &str) -> Self {
        Self {
            product: product.into(),
            versions: format!("/usr/local/lib/{product}").into(),
            programs: "/usr/local/bin".into(),
            share: "/usr/local/share".into(),
            units: "/etc/systemd/system".into(),
            config: format!("/etc/{product}").into(),
            install_state: format!("/var/lib/{product}-install").into(),
            lock: format!("/run/{product}-install.lock").into(),
            product_state: vec![format!("/var/lib/{product}").into()],
        }
    }

    /// Whose layout it is.
    pub fn product(&self) -> &str {
        &self.product
    }

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

    /// The record of a version on probation.
    pub fn probation(&self) -> PathBuf {
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

    /// Where a file of a release, `share/...`, is looked for on the host.
    pub fn shared(&self, path: &str) -> PathBuf {
        self.share.join(path.strip_prefix("share/").unwrap_or(path))
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
            .join(format!("zzz-{}-keep-guests.conf", self.product))
    }

    /// Where a file of somebody else's is moved that overrules a unit of ours. No reader takes it
    /// there, and its name tells who moved it.
    pub fn backup_of(&self, path: &Path) -> PathBuf {
        let mut moved = path.as_os_str().to_owned();
        moved.push(format!(".set-aside-by-{}", self.product));
        moved.into()
    }

    /// The path under which a program is called.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// The same layout beneath another root folder, for tests and image builds.
    #[must_use]
    pub fn beneath(&self, root: &Path) -> Self {
        let moved = |path: &PathBuf| root.join(path.strip_prefix("/").unwrap_or(path));
        Self {
            product: self.product.clone(),
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
