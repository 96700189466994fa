//! Whether what root is asked to install is the caller's to offer.
//!
//! Guarantees: programs and units are taken only from files, and out of folders, that nobody but root
//! and the caller can write, up to the root of the file system.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use banger_installer::error_kind::ErrorKind;

use super::Failure;

/// Who called root: by sudo(8), or root itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    uid: u32,
    /// A group that has no other member than the caller.
    own_group: Option<u32>,
}

impl Caller {
    /// From `SUDO_USER`; without it, or with one that the user database does not have, root alone.
    pub(super) fn from_sudo(sudo_user: Option<&str>) -> Self {
        let user = sudo_user
            .filter(|name| !name.is_empty() && !name.contains('\0'))
            .and_then(|name| nix::unistd::User::from_name(name).ok().flatten());
        let Some(user) = user else {
            return Self {
                uid: 0,
                own_group: None,
            };
        };
        let group = nix::unistd::Group::from_gid(user.gid).ok().flatten();
        let is_own = |group: &nix::unistd::Group| {
            group.name == user.name && group.mem.iter().all(|member| *member == user.name)
        };
        Self {
            uid: user.uid.as_raw(),
            own_group: group.filter(is_own).map(|group| group.gid.as_raw()),
        }
    }
}

/// What stands at a path, by lstat(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ownership {
    uid: u32,
    gid: u32,
    mode: u32,
}

/// Why something is not taken.
fn refusal(path: &Path, seen: Ownership, caller: &Caller) -> Option<(String, String)> {
    let Ownership { uid, gid, mode } = seen;
    let shown = path.display();
    if uid != 0 && uid != caller.uid {
        return Some((
            format!("{shown} belongs to uid {uid}, who can put anything in its place"),
            "unpack the release where only you can write, and call its bin/banger".into(),
        ));
    }
    // in a folder with the sticky bit nobody replaces what is another's
    let is_sticky = mode & 0o1000 != 0;
    let by_all = mode & 0o002 != 0 && !is_sticky;
    let group_is_alone = gid == 0 || caller.own_group == Some(gid);
    let by_group = mode & 0o020 != 0 && !is_sticky && !group_is_alone;
    (by_all || by_group).then(|| {
        (
            format!(
                "{shown} can be written by others (mode {:04o})",
                mode & 0o7777
            ),
            format!("chmod go-w {shown}, see that it is what it was, and try again"),
        )
    })
}

/// Looks at a release's folder, at each of its files, and at every folder above.
///
/// # Errors
/// [`Failure`] of kind `BadInput` for the first that others can write, or that cannot be looked at.
pub(super) fn require_own(release: &Path, caller: &Caller) -> Result<(), Failure> {
    let mut paths: Vec<PathBuf> = release.ancestors().map(Path::to_path_buf).collect();
    for folder in ["bin", "units"] {
        let folder = release.join(folder);
        let unreadable = |error: std::io::Error| unreadable(&folder, &error);
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        paths.push(folder);
    }
    paths
        .iter()
        .try_for_each(|path| require_own_path(path, caller))
}

/// The same for single files and the folders above them.
pub(super) fn require_own_files(files: &[PathBuf], caller: &Caller) -> Result<(), Failure> {
    let mut paths = files.iter().flat_map(|file| file.ancestors());
    paths.try_for_each(|path| require_own_path(path, caller))
}

fn require_own_path(path: &Path, caller: &Caller) -> Result<(), Failure> {
    let found = std::fs::symlink_metadata(path).map_err(|error| unreadable(path, &error))?;
    let seen = Ownership {
        uid: found.uid(),
        gid: found.gid(),
        mode: found.mode(),
    };
    match refusal(path, seen, caller) {
        None => Ok(()),
        Some((what, hint)) => Err(Failure::plain(
            format!("{what}; nothing was changed"),
            Some(hint),
            ErrorKind::BadInput,
        )),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::plain(
        format!("cannot look at {}: {error}", path.display()),
        Some("unpack the whole release and call its bin/banger".into()),
        ErrorKind::BadInput,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_root_and_the_caller_alone_can_write_is_taken() {
        let alice = Caller {
            uid: 1000,
            own_group: Some(1000),
        };
        let root = Caller {
            uid: 0,
            own_group: None,
        };
        let taken = |caller: &Caller, uid, gid, mode| {
            let seen = Ownership { uid, gid, mode };
            refusal(Path::new("/opt/banger/bin/banger"), seen, caller).is_none()
        };
        assert!(taken(&alice, 0, 0, 0o755));
        assert!(taken(&alice, 1000, 1000, 0o755));
        // a umask of 002 and a group of one's own
        assert!(taken(&alice, 1000, 1000, 0o775));
        assert!(taken(&alice, 0, 0, 0o1777), "/tmp");
        assert!(!taken(&alice, 1001, 1001, 0o755), "another user's");
        assert!(!taken(&alice, 1000, 100, 0o775), "a group of many");
        assert!(!taken(&alice, 1000, 1000, 0o757));
        assert!(!taken(&root, 1000, 1000, 0o755), "root called by itself");
    }

    #[test]
    fn a_release_is_looked_at_up_to_the_root() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let loose = folder.path().join("loose");
        let release = loose.join("banger");
        for kind in ["bin", "units"] {
            std::fs::create_dir_all(release.join(kind)).unwrap();
        }
        std::fs::write(release.join("bin/banger"), "x").unwrap();
        let set = |path: &Path, mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, mode).unwrap();
        };
        let caller = Caller {
            uid: rustix::process::geteuid().as_raw(),
            own_group: None,
        };
        for path in [
            &loose,
            &release,
            &release.join("bin"),
            &release.join("units"),
        ] {
            set(path, 0o755);
        }
        require_own(&release, &caller).unwrap();
        for path in [loose, release.join("bin"), release.join("bin/banger")] {
            set(&path, 0o777);
            let refused = require_own(&release, &caller).unwrap_err();
            assert_eq!(refused.exit_code(), ErrorKind::BadInput.exit_code());
            set(&path, 0o755);
        }
    }
}
