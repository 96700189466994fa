//! Folders on the way to what root runs and writes, which nobody else may write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::finding::{Danger, Drift, Finding};

/// Whose a folder is, and who may write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderMode {
    /// Permission bits, chmod(2).
    pub mode: u32,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
}

/// Those that others than root can write. In a folder with the sticky bit nobody renames or removes
/// what is another's.
pub fn findings_of_folders(folders: &BTreeMap<PathBuf, FolderMode>) -> Vec<Finding> {
    folders
        .iter()
        .filter_map(|(path, folder)| loose(path, *folder))
        .collect()
}

fn loose(path: &Path, folder: FolderMode) -> Option<Finding> {
    let FolderMode { mode, uid, gid } = folder;
    let writable = mode & 0o022 != 0 && mode & 0o1000 == 0;
    let remedy = match (uid == 0, writable) {
        (true, false) => return None,
        (true, true) => format!("sudo chmod go-w {}", path.display()),
        (false, false) => format!("sudo chown root {}", path.display()),
        (false, true) => format!(
            "sudo chown root {path} && sudo chmod go-w {path}",
            path = path.display()
        ),
    };
    Some(Finding {
        unit: None,
        path: path.into(),
        what: Drift::LooseFolder {
            mode: format!("{mode:04o}"),
            uid,
            gid,
        },
        danger: Danger::None,
        remedy: Some(remedy),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_others_can_write_are_found_with_what_to_type() {
        let folder =
            |path: &str, mode, uid, gid| (PathBuf::from(path), FolderMode { mode, uid, gid });
        // /usr/local as old Debian makes it (debian-policy 9.1.2)
        let folders = BTreeMap::from([
            folder("/", 0o755, 0, 0),
            folder("/usr/local", 0o2775, 0, 50),
            folder("/tmp", 0o1777, 0, 0),
            folder("/etc/acme", 0o755, 1000, 0),
        ]);
        let found: Vec<_> = findings_of_folders(&folders)
            .into_iter()
            .map(|finding| (finding.text(), finding.remedy.unwrap_or_default()))
            .collect();
        let [(owners, chown), (staff, chmod)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(owners.contains("/etc/acme has mode 0755 and belongs to 1000:0"));
        assert_eq!(chown, "sudo chown root /etc/acme");
        assert!(staff.contains("/usr/local has mode 2775 and belongs to 0:50"));
        assert_eq!(chmod, "sudo chmod go-w /usr/local");
    }
}
