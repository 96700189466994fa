//! Folders compared: what is there, of which kind, with which mode and content.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::{Error, Result, firecracker};

/// Every path, relative to the folder that was looked at, and what identifies it: `folder 0755`,
/// `file 0644 SHA256`, `link to TARGET`, `special`.
pub type Tree = BTreeMap<PathBuf, String>;

/// Everything beneath `root`, or beneath those folders of it that `tops` names.
///
/// # Errors
/// When something cannot be read; what goes away meanwhile, and tops that are not there, are left out.
pub fn tree(root: &Path, tops: &[&str]) -> Result<Tree> {
    let mut found = Tree::new();
    let mut open: Vec<PathBuf> = tops.iter().map(|top| root.join(top)).collect();
    if tops.is_empty() {
        open = inside(root)?;
    }
    while let Some(path) = open.pop() {
        let what = match describe(&path) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                continue;
            }
            described => described?,
        };
        if what.starts_with("folder") {
            open.extend(inside(&path)?);
        }
        let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
        found.insert(relative, what);
    }
    Ok(found)
}

fn inside(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    Ok(entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?)
}

fn describe(path: &Path) -> Result<String> {
    let facts = fs::symlink_metadata(path)?;
    let mode = facts.permissions().mode() & 0o7777;
    Ok(if facts.is_symlink() {
        format!("link to {}", fs::read_link(path)?.display())
    } else if facts.is_dir() {
        format!("folder {mode:04o}")
    } else if facts.is_file() {
        format!("file {mode:04o} {}", firecracker::sha256(&fs::read(path)?))
    } else {
        "special".to_owned()
    })
}

/// What is other in `after` than in `before`, a line each.
pub fn difference(before: &Tree, after: &Tree) -> Vec<String> {
    let gone = before
        .iter()
        .filter(|(path, _)| !after.contains_key(*path))
        .map(|(path, was)| format!("{}: gone, was {was}", path.display()));
    let other = after
        .iter()
        .filter_map(|(path, is)| match before.get(path) {
            Some(was) if was == is => None,
            Some(was) => Some(format!("{}: was {was}, is {is}", path.display())),
            None => Some(format!("{}: new, {is}", path.display())),
        });
    gone.chain(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_in_a_folder_is_seen() {
        let temp = tempfile::tempdir().unwrap();
        let place = |name: &str| temp.path().join(name);
        fs::create_dir(place("folder")).unwrap();
        fs::write(place("folder/file"), "one").unwrap();
        fs::os::unix::fs::symlink("file", place("folder/link")).unwrap();
        let look = || tree(temp.path(), &[]).unwrap();
        let before = look();
        assert_eq!(before.len(), 3, "{before:?}");
        assert_eq!(difference(&before, &look()), [""; 0]);
        assert_eq!(tree(temp.path(), &["folder", "nowhere"]).unwrap(), before);

        fs::write(place("folder/file"), "two").unwrap();
        fs::remove_file(place("folder/link")).unwrap();
        fs::create_dir(place("new")).unwrap();
        let closed = std::fs::Permissions::from_mode(0o700);
        fs::set_permissions(place("folder"), closed).unwrap();
        let seen = difference(&before, &look()).join("\n");
        for change in [
            "folder/file: was file",
            "folder/link: gone",
            "new: new",
            "folder: was",
        ] {
            assert!(seen.contains(change), "no {change:?} in {seen}");
        }
    }
}
