//! Removing what a VMM left, whatever it is.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, RenameFlags, openat, renameat_with, unlinkat};
use rustix::io::Errno;

/// Names that are held in memory at a time.
const BATCH: usize = 4096;

/// Removes a folder with all that is in it. No link is followed.
///
/// A folder within a folder is first moved up to `path` itself, so that two descriptors are enough
/// for a tree of any depth: `std::fs::remove_dir_all` holds one for each level, and a VMM that was
/// taken over could make itself irremovable.
///
/// # Errors
/// What the file system says; [`io::ErrorKind::NotFound`], when there is no such folder.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    let top = open(CWD, path)?;
    let mut moved = 0;
    loop {
        let names = batch(&top)?;
        if names.is_empty() {
            break;
        }
        for name in &names {
            if !unlinked(&top, name)? {
                empty(&top, name, &mut moved)?;
                unlinkat(&top, name, AtFlags::REMOVEDIR)?;
            }
        }
    }
    Ok(unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
}

/// Removes what is in folder `name`, and moves the folders in it up.
fn empty(top: &OwnedFd, name: &CString, moved: &mut u64) -> io::Result<()> {
    let folder = open(top.as_fd(), name.as_c_str())?;
    loop {
        let names = batch(&folder)?;
        if names.is_empty() {
            return Ok(());
        }
        for child in &names {
            if !unlinked(&folder, child)? {
                move_up(&folder, child, top, moved)?;
            }
        }
    }
}

/// Gives a folder a name in `top` that nothing there has.
fn move_up(folder: &OwnedFd, child: &CString, top: &OwnedFd, moved: &mut u64) -> io::Result<()> {
    loop {
        *moved += 1;
        let name = format!("removed-{moved}");
        match renameat_with(folder, child, top, name, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            done => return Ok(done?),
        }
    }
}

/// Removes what is no folder; whether it was none.
fn unlinked(folder: &OwnedFd, name: &CString) -> io::Result<bool> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        // unlink(2): this is what Linux says of a folder
        Err(Errno::ISDIR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn open(at: BorrowedFd<'_>, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}

/// Some of the names in a folder; none when it is empty.
fn batch(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
        if names.len() == BATCH {
            break;
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_tree_of_any_depth_width_and_kind_goes_and_nothing_outside_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("file"), "kept").unwrap();
        let jail = folder.path().join("jail");
        std::fs::create_dir(&jail).unwrap();
        for name in ["removed-1", "removed-2"] {
            std::fs::create_dir_all(jail.join(name).join("deeper/removed-3")).unwrap();
            std::fs::write(jail.join(name).join("deeper/file"), "x").unwrap();
        }
        for number in 0..BATCH + 2 {
            std::fs::write(jail.join(format!("file-{number}")), "").unwrap();
        }
        std::fs::write(jail.join(std::ffi::OsStr::from_bytes(b"\xff\n")), "").unwrap();
        symlink(&outside, jail.join("link")).unwrap();
        symlink(&outside, jail.join("removed-1/deeper/link")).unwrap();
        let mut deep = jail.join("deep");
        for _ in 0..1500 {
            std::fs::create_dir(&deep).unwrap();
            deep.push("d");
        }
        let closed = jail.join("removed-2/deeper");
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
        remove_tree(&jail).unwrap();
        assert!(!jail.exists());
        assert_eq!(
            std::fs::read_to_string(outside.join("file")).unwrap(),
            "kept"
        );
        let gone = remove_tree(&jail).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_link_in_the_place_of_the_folder_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        symlink(&outside, folder.path().join("jail")).unwrap();
        assert!(remove_tree(&folder.path().join("jail")).is_err());
        assert!(outside.exists());
    }
}
