//! Reads the host into one value, from which plans are made.
//!
//! Guarantees: nothing that belongs to the product is changed. On request systemd reads its units
//! anew first, since what it says of itself ("no reload needed") is not to be trusted; the facts
//! from before are kept beside those from after.

mod set;
mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use banger_installer_host::Hint;

use crate::ErrorKind;
use crate::effect::systemd::SystemdError;
use crate::effect::{BoxError, Effects, FilesError, Status, Untrusted, trust};
use crate::hint;
use crate::model::{
    Fingerprint, Found, InstalledSet, Probation, Product, ProtectedProcess, RECEIPT_SCHEMA,
    Receipt, ReceiptError, SavedFile, UnitFacts, UnitName, UnitSpec, Version,
};
use crate::plan::FolderMode;
use set::leaving;
pub use set::{installed_set, read_set};
pub(crate) use units::same_path;

/// The host, as far as it concerns the product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostState {
    /// The receipt, when there is one.
    pub receipt: Option<Receipt>,
    /// What `current` names.
    pub current: Option<PathBuf>,
    /// The versions that lie there.
    pub versions: Vec<Version>,
    /// What each program's link names; none where it is no link.
    pub programs: BTreeMap<String, Option<PathBuf>>,
    /// What each link beneath the host's `share` folder names; none where it is no link.
    pub shared: BTreeMap<String, Option<PathBuf>>,
    /// What the installed version brought and the next one does not.
    pub retired: Retired,
    /// The versions of which it is written down what they put on the host.
    pub sets: Vec<Version>,
    /// What the installed version put on the host, where it was written down.
    pub set: Option<InstalledSet>,
    /// The files of the installed version that the receipt has a digest of, and its programs, as
    /// they are now: by their path in the version's folder; none where there is no file.
    pub published: BTreeMap<String, Option<Fingerprint>>,
    /// The units, in the product's order.
    pub units: Vec<UnitState>,
    /// The protected processes.
    pub protected: Vec<ProtectedProcess>,
    /// The ids of those whom the services list as running, as far as they say.
    pub known: Vec<String>,
    /// The version on probation, if one is.
    pub probation: Option<Probation>,
    /// The product's own state files as they are.
    pub state_files: Vec<SavedFile>,
    /// The folders on the way to what root runs and writes.
    pub folders: BTreeMap<PathBuf, FolderMode>,
    /// What the services that run answered; missing where one did not.
    pub answers: BTreeMap<UnitName, Version>,
}

/// What a version brought and another does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retired {
    /// Units.
    pub units: Vec<UnitState>,
    /// Programs.
    pub programs: Vec<String>,
    /// Files that are linked beneath the host's `share` folder.
    pub shared: Vec<String>,
}

/// A unit on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitState {
    /// Which.
    pub spec: UnitSpec,
    /// What stands at its path.
    pub file: Found,
    /// Whether that was changed since systemd last read its units.
    pub changed: bool,
    /// What was in force before systemd read its units anew.
    pub before: UnitFacts,
    /// What is in force.
    pub facts: UnitFacts,
    /// All files of its name in systemd's folders, the one that counts first.
    pub fragments: Vec<Fragment>,
    /// Its drop-ins: those in force in the order in which they apply, then those not loaded.
    pub drop_ins: Vec<DropIn>,
}

/// A unit file in one of systemd's folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Where.
    pub path: PathBuf,
    /// What stands there.
    pub found: Found,
    /// Its text, links followed; none when it cannot be read as text.
    pub text: Option<String>,
}

impl Fragment {
    /// Whether it masks the unit: a link to `/dev/null`, or an empty file (systemd.unit(5)).
    pub fn masks(&self) -> bool {
        match &self.found {
            Found::Link(target) => target == Path::new("/dev/null"),
            Found::File(image) => image.contents.as_bytes().is_empty(),
            _ => false,
        }
    }
}

/// A drop-in of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    /// Where.
    pub path: PathBuf,
    /// Its text; none when it cannot be read as text.
    pub text: Option<String>,
    /// Whether systemd holds it.
    pub is_loaded: bool,
    /// Whether it lies on the disk, and counts there.
    pub lies: bool,
    /// Whether it was changed since systemd last read its units.
    pub changed: bool,
}

/// Why the host could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// A file.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// systemd.
    #[error(transparent)]
    Systemd(#[from] SystemdError),
    /// The receipt.
    #[error("{} cannot be used", path.display())]
    Receipt {
        /// Where it is.
        path: PathBuf,
        /// Why.
        #[source]
        source: ReceiptError,
    },
    /// A file of ours that somebody else may have written.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The product cannot say which processes are protected.
    #[error("what must outlive the change cannot be listed")]
    ProtectedProcesses(#[source] BoxError),
    /// A Reload would be refused.
    #[error("/run has {free} bytes free; systemd reads its units anew only with 16 MiB")]
    RunIsFull {
        /// Free bytes.
        free: u64,
    },
}

impl ObserveError {
    /// What the user can type.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Files(error) => error.hint(),
            Self::Systemd(error) => error.hint(),
            Self::Receipt { path, source } => Some(match source {
                ReceiptError::Schema { found } if *found > RECEIPT_SCHEMA => hint::of_later(path),
                _ => hint::of_damaged(path),
            }),
            Self::Untrusted(error) => Some(error.hint()),
            Self::RunIsFull { .. } => Some("free space in /run and try again: df -h /run".into()),
            Self::ProtectedProcesses(_) => None,
        }
    }

    /// Which kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Files(error) => error.kind(),
            Self::Systemd(error) => error.kind(),
            Self::Untrusted(error) => error.kind(),
            Self::RunIsFull { .. } => ErrorKind::HostLacks,
            Self::ProtectedProcesses(_) => ErrorKind::GuestsInTheWay,
            Self::Receipt { .. } => ErrorKind::Damaged,
        }
    }
}

/// Whether systemd reads its units anew before it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It does: for an operation that will change something.
    Reload,
    /// It does not: for a mere look.
    AsLoaded,
}

/// Reads the host.
///
/// # Errors
/// [`ObserveError`].
pub fn observe(
    product: &Product,
    effects: &Effects<'_>,
    freshness: Freshness,
) -> Result<HostState, ObserveError> {
    let receipt = read_receipt(product, effects)?;
    let set = installed_set(product, receipt.as_ref(), effects)?;
    let leaving = leaving(product, set.as_ref(), receipt.as_ref());
    let mut all = product.clone();
    all.units.extend(leaving.units);
    let mut units = units::units(&all, effects, freshness)?;
    let retired = Retired {
        units: units.split_off(product.units.len()),
        programs: leaving.programs,
        shared: leaving.shared,
    };
    let answers = answers(&units, effects);
    Ok(HostState {
        published: published(product, receipt.as_ref(), effects)?,
        receipt,
        current: link_target(&product.layout.current(), effects)?,
        versions: versions(product, effects)?,
        programs: links(
            product.programs.iter().map(|program| &program.name),
            &retired.programs,
            |name| product.layout.program(name),
            effects,
        )?,
        shared: links(
            product.shared.iter(),
            &retired.shared,
            |path| product.layout.shared(path),
            effects,
        )?,
        retired,
        sets: set::recorded(product, effects)?,
        set,
        units,
        protected: effects
            .protected
            .list()
            .map_err(ObserveError::ProtectedProcesses)?,
        probation: read_probation(product, effects)?,
        state_files: match freshness {
            Freshness::Reload => state_files(product, effects)?,
            Freshness::AsLoaded => Vec::new(),
        },
        folders: folders(product, effects)?,
        // services that are down or too old to say know nobody: then nobody can be forgotten
        known: effects.health.known().ok().flatten().unwrap_or_default(),
        answers,
    })
}

/// What the names of links lead to.
fn links<'a>(
    names: impl Iterator<Item = &'a String>,
    retired: &'a [String],
    link: impl Fn(&str) -> PathBuf,
    effects: &Effects<'_>,
) -> Result<BTreeMap<String, Option<PathBuf>>, FilesError> {
    let targets = names.chain(retired).map(|name| {
        let target = link_target(&link(name), effects)?;
        Ok((name.clone(), target))
    });
    targets.collect()
}

fn answers(units: &[UnitState], effects: &Effects<'_>) -> BTreeMap<UnitName, Version> {
    let asked: Vec<UnitName> = units
        .iter()
        .filter(|unit| unit.spec.stateful && unit.facts.is_active())
        .map(|unit| unit.spec.name.clone())
        .collect();
    let answers = effects.health.probe_all(&asked);
    asked
        .into_iter()
        .zip(answers)
        .filter_map(|(unit, answer)| Some((unit, answer.ok()?.version)))
        .collect()
}

/// Reads the receipt.
///
/// # Errors
/// [`ObserveError`], when it is damaged or from the future.
pub fn read_receipt(
    product: &Product,
    effects: &Effects<'_>,
) -> Result<Option<Receipt>, ObserveError> {
    let path = product.layout.receipt();
    match effects.files.look(&path)? {
        Found::File(image) => {
            trust(&path, &image)?;
            Receipt::from_json(image.contents.as_bytes())
                .map(Some)
                .map_err(|source| ObserveError::Receipt { path, source })
        }
        _ => Ok(None),
    }
}

/// Reads the record of the version on probation. One that cannot be used counts as none: all that is
/// lost with it is the watch, and the next update writes another.
///
/// # Errors
/// [`ObserveError::Files`], when it is there and cannot be read; [`ObserveError::Untrusted`], when
/// somebody else may have written it: it says what is put back, and where.
pub fn read_probation(
    product: &Product,
    effects: &Effects<'_>,
) -> Result<Option<Probation>, ObserveError> {
    let path = product.layout.probation();
    let Found::File(image) = effects.files.look(&path)? else {
        return Ok(None);
    };
    trust(&path, &image)?;
    Ok(Probation::from_json(image.contents.as_bytes()).ok())
}

/// Every folder on the way to what root runs and writes, as it is.
fn folders(
    product: &Product,
    effects: &Effects<'_>,
) -> Result<BTreeMap<PathBuf, FolderMode>, FilesError> {
    let layout = &product.layout;
    let own = [
        &layout.versions,
        &layout.programs,
        &layout.units,
        &layout.config,
        &layout.install_state,
    ];
    // what is the product's may be its owner's, but not the way there
    let above = layout.product_state.iter().filter_map(|path| path.parent());
    let ends = own.into_iter().map(PathBuf::as_path).chain(above);
    let paths: BTreeSet<&Path> = ends.flat_map(Path::ancestors).collect();
    let mut found = BTreeMap::new();
    for path in paths {
        if let Some(status) = effects.files.folder_status(path)? {
            let Status { mode, uid, gid, .. } = status;
            found.insert(path.to_path_buf(), FolderMode { mode, uid, gid });
        }
    }
    Ok(found)
}

fn state_files(product: &Product, effects: &Effects<'_>) -> Result<Vec<SavedFile>, FilesError> {
    let mut found = Vec::new();
    for files in &product.state_files {
        for name in effects.files.list(&files.folder)? {
            let path = files.folder.join(name).join(&files.name);
            if let Found::File(image) = effects.files.look(&path)? {
                found.push(SavedFile { path, image });
            }
        }
    }
    Ok(found)
}

fn link_target(path: &Path, effects: &Effects<'_>) -> Result<Option<PathBuf>, FilesError> {
    Ok(match effects.files.look(path)? {
        Found::Link(target) => Some(target),
        _ => None,
    })
}

fn published(
    product: &Product,
    receipt: Option<&Receipt>,
    effects: &Effects<'_>,
) -> Result<BTreeMap<String, Option<Fingerprint>>, FilesError> {
    let Some(receipt) = receipt else {
        return Ok(BTreeMap::new());
    };
    let folder = product.layout.version(&receipt.version);
    // the receipt names the programs, too, unless it is of a version from before that
    let recorded = receipt.contents.get(&receipt.version);
    let names: Vec<String> = if let Some(recorded) = recorded {
        recorded.keys().cloned().collect()
    } else {
        let programs = product.programs.iter();
        programs.map(|one| format!("bin/{}", one.name)).collect()
    };
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    let found = effects.files.fingerprints(&paths)?;
    Ok(names.into_iter().zip(found).collect())
}

fn versions(product: &Product, effects: &Effects<'_>) -> Result<Vec<Version>, FilesError> {
    let names = effects.files.list(&product.layout.versions)?;
    Ok(names
        .iter()
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect())
}
