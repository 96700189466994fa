//! What the installed version put on the host, and what of it another does not have.

use std::collections::BTreeSet;

use super::ObserveError;
use crate::effect::{Effects, trust};
use crate::model::{Found, InstalledSet, Product, Receipt, UnitKind, UnitName, UnitSpec, Version};

/// Reads the record of what a version put on the host; none where there is none, or one that cannot be
/// used: all that is lost with it is how exactly a rollback brings it back.
///
/// # Errors
/// [`ObserveError`], when it is there and cannot be read, or somebody else may have written it.
pub fn read_set(
    product: &Product,
    version: &Version,
    effects: &Effects<'_>,
) -> Result<Option<InstalledSet>, ObserveError> {
    let path = product.layout.set(version);
    let Found::File(image) = effects.files.look(&path)? else {
        return Ok(None);
    };
    trust(&path, &image)?;
    let set = InstalledSet::from_json(image.contents.as_bytes()).ok();
    Ok(set.filter(|set| set.version == *version))
}

/// [`read_set`] of the installed version.
///
/// # Errors
/// As [`read_set`].
pub fn installed_set(
    product: &Product,
    receipt: Option<&Receipt>,
    effects: &Effects<'_>,
) -> Result<Option<InstalledSet>, ObserveError> {
    match receipt {
        Some(receipt) => read_set(product, &receipt.version, effects),
        None => Ok(None),
    }
}

/// What goes: by name, and what the toolkit must know of the units.
pub(super) struct Leaving {
    pub(super) units: Vec<UnitSpec>,
    pub(super) programs: Vec<String>,
    pub(super) shared: Vec<String>,
}

/// What the installed version has and the product, as it is to be, has not.
pub(super) fn leaving(
    product: &Product,
    set: Option<&InstalledSet>,
    receipt: Option<&Receipt>,
) -> Leaving {
    let (units, programs, shared) = match (set, receipt) {
        (Some(set), _) => (
            set.specs().cloned().collect(),
            set.programs.iter().map(|one| one.name.clone()).collect(),
            set.shared.clone(),
        ),
        (None, Some(receipt)) => by_contents(receipt),
        (None, None) => Default::default(),
    };
    let kept: BTreeSet<&UnitName> = product.units.iter().map(|unit| &unit.name).collect();
    let is_kept = |name: &String| product.programs.iter().any(|one| one.name == *name);
    Leaving {
        units: units
            .into_iter()
            .filter(|unit: &UnitSpec| !kept.contains(&unit.name))
            .collect(),
        programs: programs.into_iter().filter(|name| !is_kept(name)).collect(),
        shared: shared
            .into_iter()
            .filter(|path| !product.shared.contains(path))
            .collect(),
    }
}

/// What the receipt knows of a version that was installed before sets were written down. Nothing says
/// which of its services have protected children: so each is treated as one.
fn by_contents(receipt: &Receipt) -> (Vec<UnitSpec>, Vec<String>, Vec<String>) {
    let mut found = (Vec::new(), Vec::new(), Vec::new());
    let files = receipt.contents.get(&receipt.version).into_iter().flatten();
    for (path, _) in files {
        if let Some(name) = path.strip_prefix("bin/") {
            found.1.push(name.to_owned());
        } else if path.starts_with("share/") {
            found.2.push(path.clone());
        } else if let Some(Ok(name)) = path
            .strip_prefix("units/")
            .and_then(|name| name.strip_suffix(".in"))
            .map(str::parse::<UnitName>)
        {
            found.0.push(UnitSpec {
                enable: true,
                stateful: name.kind() == UnitKind::Service,
                optional: false,
                name,
            });
        }
    }
    found
}

/// The versions whose set is written down, whether or not they still lie on the host.
pub(super) fn recorded(
    product: &Product,
    effects: &Effects<'_>,
) -> Result<Vec<Version>, ObserveError> {
    let names = effects.files.list(&product.layout.install_state)?;
    let version = |name: &std::ffi::OsString| {
        let name = name.to_str()?.strip_prefix("set-")?;
        name.strip_suffix(".json")?.parse().ok()
    };
    Ok(names.iter().filter_map(version).collect())
}
