//! What the toolkit is told about the product that it installs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{HintText, Layout, UnitKind, UnitName};

/// A product: the names, programs, units and places that the toolkit handles for it. Only
/// [`ProductBuilder`](super::ProductBuilder) makes one, so each was checked as a whole.
#[non_exhaustive]
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
    /// The slice that holds the protected processes' scopes; one of `units`, or systemd's own.
    pub slice: UnitName,
    /// What the name of a protected process's scope starts with: `acme-job-` for `acme-job-ID.scope`.
    pub scope_prefix: String,
    /// What the host must have for the product to run.
    pub required: Vec<Requirement>,
    /// The unit that runs the toolkit's rescue, one of `units`: it is started before a version
    /// is changed, and takes the change back when the updater dies or the version does not stay
    /// well.
    pub rescue: Option<UnitName>,
    /// Which program of a release makes the plan for it, and with what arguments; none where the
    /// installed program plans for every version.
    pub delegate: Option<Delegate>,
    /// The small files of the product's own state whose format a version may change.
    pub state_files: Vec<StateFiles>,
    /// What is said for a hint.
    pub hint_text: HintText,
    /// Which programs of a version say whether it can read the product's state.
    pub state_checks: Vec<StateCheck>,
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

/// A program that is asked, before its version is switched to, whether that can read the state which
/// lies on the host ([`super::StateAnswer`]). One of a version that does not know the question, and so
/// says nothing, changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateCheck {
    /// The service that keeps the state: what people are told.
    pub unit: UnitName,
    /// The program, in `bin/` of a release.
    pub program: String,
    /// The arguments that ask it.
    pub words: Vec<String>,
    /// Asked as the owner, and as root otherwise: as the user who will run it.
    pub as_owner: bool,
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
    #[serde(default)]
    pub stateful: bool,
    /// Enabled and started only where somebody asked for unattended updates
    /// ([`super::Receipt::auto_update`]).
    #[serde(default)]
    pub optional: bool,
}

impl UnitSpec {
    /// A unit that is written, and started by what needs it.
    pub const fn new(name: UnitName) -> Self {
        Self {
            name,
            enable: false,
            stateful: false,
            optional: false,
        }
    }

    /// Enabled at install.
    #[must_use]
    pub const fn enabled(mut self) -> Self {
        self.enable = true;
        self
    }

    /// A service with protected children: see [`UnitSpec::stateful`].
    #[must_use]
    pub const fn stateful(mut self) -> Self {
        self.stateful = true;
        self
    }

    /// Enabled and started only where unattended updates were asked for.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Whether it is to start at boot.
    pub fn is_enabled(&self, auto_update: bool) -> bool {
        self.enable && (auto_update || !self.optional)
    }

    /// Whether it is to run all the time. A slice comes and goes with what is in it, and a service
    /// without protected children is started by another unit when there is something to do.
    pub fn is_running(&self, auto_update: bool) -> bool {
        let stays = match self.name.kind() {
            UnitKind::Socket | UnitKind::Timer => true,
            UnitKind::Service => self.stateful,
            UnitKind::Slice | UnitKind::Scope => false,
        };
        stays && (auto_update || !self.optional)
    }
}

impl Product {
    /// The services whose children must outlive them.
    pub fn stateful_services(&self) -> impl Iterator<Item = &UnitName> {
        self.units
            .iter()
            .filter(|unit| unit.stateful)
            .map(|unit| &unit.name)
    }
}
