//! A unit in two ways: as systemd holds it, and as it would load it from the disk.
//!
//! Guarantees: the disk is read as systemd reads it (`unit_file_find_dropin_paths` in its sources,
//! systemd.unit(5)): its own folders in its own order, drop-ins of the name, of its prefixes that
//! end in a dash and of its whole type, the first of a file name counting, in the order of their
//! names. So what lies there without being loaded is found without a Reload, and whatever
//! `NeedDaemonReload` says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{DropIn, Fragment, Freshness, ObserveError, UnitState};
use crate::effect::systemd::RELOAD_FLOOR;
use crate::effect::{Effects, Files, FilesError};
use crate::model::{Found, Product, UnitFacts, UnitName, UnitSearch, UnitSpec};

/// Links to follow before a chain counts as endless, as the kernel counts (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

pub(super) fn units(
    product: &Product,
    effects: &Effects<'_>,
    freshness: Freshness,
) -> Result<Vec<UnitState>, ObserveError> {
    let specs = &product.units;
    let names: Vec<UnitName> = specs.iter().map(|spec| spec.name.clone()).collect();
    let before = effects.systemd.units(&names)?;
    let facts = match freshness {
        Freshness::AsLoaded => before.clone(),
        Freshness::Reload => {
            let free = effects.files.free_bytes(Path::new("/run"))?;
            if free < RELOAD_FLOOR {
                return Err(ObserveError::RunIsFull { free });
            }
            effects.systemd.reload()?;
            effects.systemd.units(&names)?
        }
    };
    let search = effects.systemd.search()?;
    specs
        .iter()
        .zip(before.into_iter().zip(facts))
        .map(|(spec, (before, facts))| {
            Ok(unit(product, spec, before, facts, &search, effects.files)?)
        })
        .collect()
}

fn unit(
    product: &Product,
    spec: &UnitSpec,
    before: UnitFacts,
    facts: UnitFacts,
    search: &UnitSearch,
    files: &dyn Files,
) -> Result<UnitState, FilesError> {
    let path = product.layout.unit(&spec.name);
    Ok(UnitState {
        spec: spec.clone(),
        file: files.look(&path)?,
        changed: changed(&path, search, files)?,
        fragments: fragments(&spec.name, search, files)?,
        drop_ins: drop_ins(&spec.name, &facts, search, files)?,
        before,
        facts,
    })
}

/// All files of that name, the one that counts first. `/lib` may be `/usr/lib` (file-hierarchy(7)):
/// then they are the same file, and told once.
fn fragments(
    name: &UnitName,
    search: &UnitSearch,
    files: &dyn Files,
) -> Result<Vec<Fragment>, FilesError> {
    let mut fragments: Vec<Fragment> = Vec::new();
    for folder in &search.folders {
        let path = folder.join(name.as_str());
        let found = files.look(&path)?;
        let known = |other: &Fragment| other.found == found && same_path(&other.path, &path);
        if found == Found::Missing || fragments.iter().any(known) {
            continue;
        }
        let text = text(&path, files)?;
        fragments.push(Fragment { path, found, text });
    }
    Ok(fragments)
}

/// Whether two paths are one where `/lib` is `/usr/lib`.
pub(crate) fn same_path(one: &Path, other: &Path) -> bool {
    let merged = |path: &Path| match path.strip_prefix("/lib") {
        Ok(rest) => Path::new("/usr/lib").join(rest),
        Err(_) => path.to_path_buf(),
    };
    merged(one) == merged(other)
}

/// Those that systemd holds, in the order in which they apply, and behind them those that it has
/// not read.
fn drop_ins(
    name: &UnitName,
    facts: &UnitFacts,
    search: &UnitSearch,
    files: &dyn Files,
) -> Result<Vec<DropIn>, FilesError> {
    let lying = lying_drop_ins(name, search, files)?;
    let among = |paths: &[PathBuf], path: &Path| paths.iter().any(|one| same_path(one, path));
    let unread = lying.iter().filter(|path| !among(&facts.drop_ins, path));
    facts
        .drop_ins
        .iter()
        .chain(unread)
        .map(|path| {
            Ok(DropIn {
                path: path.clone(),
                text: text(path, files)?,
                is_loaded: among(&facts.drop_ins, path),
                lies: among(&lying, path),
                changed: !is_systemds(path) && changed(path, search, files)?,
            })
        })
        .collect()
}

/// Whether systemd itself writes such a file, and holds what it wrote: what `systemctl set-property`
/// and transient units leave.
fn is_systemds(path: &Path) -> bool {
    let mut parts = path.iter();
    parts.any(|part| part == "system.control" || part == "transient")
}

/// The drop-ins that systemd would find, in the order in which they would apply.
fn lying_drop_ins(
    name: &UnitName,
    search: &UnitSearch,
    files: &dyn Files,
) -> Result<Vec<PathBuf>, FilesError> {
    let (own, of_type) = drop_in_folders(name);
    let mut folders = Vec::new();
    for folder in &search.folders {
        folders.extend(own.iter().map(|name| folder.join(name)));
    }
    folders.extend(search.folders.iter().map(|folder| folder.join(&of_type)));
    let mut found: BTreeMap<std::ffi::OsString, PathBuf> = BTreeMap::new();
    for folder in folders {
        // a file where a folder is expected holds nothing
        for file in files.list(&folder)? {
            let shown = file.to_string_lossy();
            if shown.ends_with(".conf") && !shown.starts_with('.') && !found.contains_key(&file) {
                let path = folder.join(&file);
                if is_file(&path, files)? {
                    found.insert(file, path);
                }
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The names of a unit's own drop-in folders, and that of its type's.
fn drop_in_folders(name: &UnitName) -> (Vec<String>, String) {
    let (stem, suffix) = name
        .as_str()
        .rsplit_once('.')
        .unwrap_or((name.as_str(), ""));
    let mut folders = vec![format!("{name}.d")];
    let mut prefix = stem;
    while let Some((shorter, _)) = prefix.rsplit_once('-') {
        folders.push(format!("{shorter}-.{suffix}.d"));
        prefix = shorter;
    }
    (folders, format!("{suffix}.d"))
}

/// The text of a file, links followed; none when it cannot be read as text.
fn text(path: &Path, files: &dyn Files) -> Result<Option<String>, FilesError> {
    Ok(match follow(path, files)? {
        Some((_, Found::File(image))) => image.contents.as_text().map(str::to_owned),
        // what systemd takes for an empty file
        Some((target, Found::Other)) if target == Path::new("/dev/null") => Some(String::new()),
        _ => None,
    })
}

fn is_file(path: &Path, files: &dyn Files) -> Result<bool, FilesError> {
    Ok(matches!(
        follow(path, files)?,
        Some((_, Found::File(_) | Found::Other))
    ))
}

/// What stands at the end of a chain of links, and where.
fn follow(path: &Path, files: &dyn Files) -> Result<Option<(PathBuf, Found)>, FilesError> {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        match files.look(&path)? {
            Found::Link(target) => path = path.parent().unwrap_or(&path).join(target),
            found => return Ok(Some((path, found))),
        }
    }
    Ok(None)
}

/// Whether a file is younger than systemd's last look: by its ctime, which no touch(1) and no
/// restored backup sets back, as they do the mtime that systemd itself goes by.
fn changed(path: &Path, search: &UnitSearch, files: &dyn Files) -> Result<bool, FilesError> {
    let Some(loaded) = search.loaded else {
        return Ok(false);
    };
    let changed = files.status_changed(path)?;
    Ok(changed.is_some_and(|changed| changed > loaded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_in_folders_are_those_of_the_name_its_prefixes_and_its_type() {
        let name: UnitName = "a-b-c.service".parse().unwrap();
        let (own, of_type) = drop_in_folders(&name);
        assert_eq!(own, ["a-b-c.service.d", "a-b-.service.d", "a-.service.d"]);
        assert_eq!(of_type, "service.d");
    }

    #[test]
    fn lib_may_be_usr_lib() {
        let same = |one: &str, other: &str| same_path(Path::new(one), Path::new(other));
        assert!(same("/lib/systemd/system/a", "/usr/lib/systemd/system/a"));
        assert!(!same("/lib/systemd/system/a", "/etc/systemd/system/a"));
        assert!(!same("/lib/a", "/lib/b"));
    }
}
