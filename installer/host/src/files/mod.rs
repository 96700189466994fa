//! The file system, as far as the toolkit changes it.
//!
//! Guarantees: a file or link at its path is always the whole old or the whole new one, and what
//! was done is on the disk when a call returns (contents, folder entry and the folder's own entry,
//! fsync(2)). No call
//! follows a symbolic link at the path that it is given. What is already gone counts as removed.

//!
//! What a call is made of stands in `whole`, written against the few primitive operations of a
//! [`Disk`]: a test can hand it another disk, and take that one's power at any moment.

mod disk;
mod host;
mod own;
mod whole;

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{ErrorKind, Hint};
use crate::{FileImage, Fingerprint, Found};

pub use disk::{Disk, Kind, Status};
pub use host::HostFiles;
pub use own::{Untrusted, trust};

/// An operation on a file that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}", path.display())]
pub struct FilesError {
    /// What was tried, a verb.
    pub what: &'static str,
    /// With which path.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl FilesError {
    /// What the user can type.
    pub fn hint(&self) -> Option<Hint> {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Hint::Text(format!(
                "free space on its file system and try again: df -h {}",
                self.path.parent().unwrap_or(&self.path).display()
            ))),
            io::ErrorKind::ReadOnlyFilesystem => {
                Some("its file system is read-only; mount it writable and try again".into())
            }
            _ => None,
        }
    }

    /// Which kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self.source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::HostLacks,
            io::ErrorKind::PermissionDenied => ErrorKind::NotPermitted,
            _ => ErrorKind::Other,
        }
    }
}

/// The file system.
pub trait Files {
    /// What stands at a path. Only for files that are small: the whole file is read.
    fn look(&self, path: &Path) -> Result<Found, FilesError>;
    /// The names in a folder, sorted; a missing folder has none.
    fn list(&self, folder: &Path) -> Result<Vec<OsString>, FilesError>;
    /// Whether two files or folders hold the same: names, bytes, links and permission bits.
    fn same_tree(&self, left: &Path, right: &Path) -> Result<bool, FilesError>;
    /// What is in a file and whose it is; none where no regular file stands. For files of any size.
    fn fingerprint(&self, path: &Path) -> Result<Option<Fingerprint>, FilesError>;
    /// The same for several files, in their order.
    fn fingerprints(&self, paths: &[PathBuf]) -> Result<Vec<Option<Fingerprint>>, FilesError> {
        paths.iter().map(|path| self.fingerprint(path)).collect()
    }
    /// Whose a folder is and who may write it; none where no folder stands, or a link does.
    fn folder_status(&self, path: &Path) -> Result<Option<Status>, FilesError>;
    /// When a file, at the end of its links, was last changed in any way (ctime, inode(7)), in
    /// microseconds since 1970; none when it is missing.
    fn status_changed(&self, path: &Path) -> Result<Option<i64>, FilesError>;
    /// Bytes that are free at a path's file system for an unprivileged user (statvfs(3)).
    fn free_bytes(&self, path: &Path) -> Result<u64, FilesError>;
    /// Puts a whole file at a path; folders above it are made (root, 0755).
    fn write_whole(&self, path: &Path, image: &FileImage) -> Result<(), FilesError>;
    /// Puts a link at a path; folders above it are made (root, 0755).
    fn replace_link(&self, path: &Path, target: &Path) -> Result<(), FilesError>;
    /// Gives a file a second name; there must be none such.
    fn hard_link(&self, path: &Path, second: &Path) -> Result<(), FilesError>;
    /// Moves a file or folder on its file system.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), FilesError>;
    /// Copies a folder with all in it, owned by root; whatever stands at `to` goes first. Links and
    /// special files are refused.
    fn copy_tree(&self, from: &Path, to: &Path) -> Result<(), FilesError>;
    /// Sees to it that what stands at a path is on the disk, and that nothing lies beside it that an
    /// earlier write left.
    fn settle(&self, path: &Path) -> Result<(), FilesError>;
    /// Removes a file, a link, or a folder with all in it.
    fn remove(&self, path: &Path) -> Result<(), FilesError>;
    /// Removes a folder if nothing is in it.
    fn remove_if_empty(&self, folder: &Path) -> Result<(), FilesError>;
}

fn tell<T>(what: &'static str, path: &Path, result: io::Result<T>) -> Result<T, FilesError> {
    result.map_err(|source| FilesError {
        what,
        path: path.into(),
        source,
    })
}

/// Syncs the links in a folder of units by which they start at boot: systemd writes them, and does
/// not sync them.
pub fn sync_enablement<D: Disk>(disk: &D, units: &Path) -> Result<(), FilesError> {
    tell("sync", units, whole::sync_enablement(disk, units))
}

/// Replaces a small file of this process's user in a folder that is there, with permission bits
/// `mode`: whole and on the disk when it returns. Several threads may write at the same time, the
/// same file, too.
///
/// # Errors
/// What the file system says, with the path.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let image = FileImage {
        contents: bytes.to_vec().into(),
        mode,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    let mark = format!(
        "-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    whole::write_among_others(&HostFiles, path, &image, &mark)
        .map_err(|error| with_path("write", path, &error))
}

/// Makes a folder with permission bits `mode`, less the umask, in one that is there, and syncs that.
/// One that exists is fine.
///
/// # Errors
/// What the file system says, with the path.
pub fn create_folder(path: &Path, mode: u32) -> io::Result<()> {
    let created = match std::fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created,
    };
    let parent = path.parent();
    created
        .and_then(|()| parent.map_or(Ok(()), |parent| HostFiles.sync_folder(parent)))
        .map_err(|error| with_path("create", path, &error))
}

fn with_path(what: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot {what} {}: {error}", path.display()),
    )
}

impl<D: Disk> Files for D {
    fn look(&self, path: &Path) -> Result<Found, FilesError> {
        tell("read", path, whole::look(self, path))
    }

    fn list(&self, folder: &Path) -> Result<Vec<OsString>, FilesError> {
        tell("list", folder, whole::list(self, folder))
    }

    fn same_tree(&self, left: &Path, right: &Path) -> Result<bool, FilesError> {
        tell("compare", left, whole::same_tree(self, left, right))
    }

    fn fingerprint(&self, path: &Path) -> Result<Option<Fingerprint>, FilesError> {
        tell("read", path, whole::fingerprint(self, path))
    }

    fn fingerprints(&self, paths: &[PathBuf]) -> Result<Vec<Option<Fingerprint>>, FilesError> {
        let found = whole::fingerprints(self, paths);
        let told = paths.iter().zip(found);
        told.map(|(path, found)| tell("read", path, found))
            .collect()
    }

    fn folder_status(&self, path: &Path) -> Result<Option<Status>, FilesError> {
        tell("look at", path, whole::folder_status(self, path))
    }

    fn status_changed(&self, path: &Path) -> Result<Option<i64>, FilesError> {
        tell("look at", path, whole::status_changed(self, path))
    }

    fn free_bytes(&self, path: &Path) -> Result<u64, FilesError> {
        tell("measure", path, Disk::free_bytes(self, path))
    }

    fn write_whole(&self, path: &Path, image: &FileImage) -> Result<(), FilesError> {
        tell("write", path, whole::write(self, path, image))
    }

    fn replace_link(&self, path: &Path, target: &Path) -> Result<(), FilesError> {
        tell("link", path, whole::replace_link(self, path, target))
    }

    fn hard_link(&self, path: &Path, second: &Path) -> Result<(), FilesError> {
        tell("link", second, whole::hard_link(self, path, second))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), FilesError> {
        tell("move", from, whole::rename(self, from, to))
    }

    fn copy_tree(&self, from: &Path, to: &Path) -> Result<(), FilesError> {
        tell("copy to", to, whole::copy_tree(self, from, to))
    }

    fn settle(&self, path: &Path) -> Result<(), FilesError> {
        tell("sync", path, whole::settle_alone(self, path))
    }

    fn remove(&self, path: &Path) -> Result<(), FilesError> {
        tell("remove", path, whole::remove(self, path))
    }

    fn remove_if_empty(&self, folder: &Path) -> Result<(), FilesError> {
        tell("remove", folder, whole::remove_if_empty(self, folder))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode_and_nothing_left_beside() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("record.json");
        write_whole(&path, b"old", 0o600).expect("written");
        write_whole(&path, b"new", 0o644).expect("written");
        assert_eq!(std::fs::read(&path).expect("a file"), b"new");
        let found = std::fs::metadata(&path).expect("a file");
        assert_eq!(found.mode() & 0o777, 0o644);
        let names = std::fs::read_dir(folder.path()).expect("a folder");
        assert_eq!(names.count(), 1);
    }

    #[test]
    fn what_a_write_that_was_cut_off_left_goes_with_its_file_under_the_names_of_every_version() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.service");
        let ours = [".a.service.installer-new", ".a.service.former-new"];
        let others = [
            ".b.service.installer-new",
            "a.service.dpkg-new",
            ".a.service.d",
            ".a.service.x.y-new",
        ];
        let names = || {
            let found = HostFiles.list(folder.path()).expect("a folder");
            let found = found.into_iter().map(OsString::into_string);
            found.collect::<Result<Vec<_>, _>>().expect("names")
        };
        for name in ours.iter().chain(&others).chain(&["a.service"]) {
            std::fs::write(folder.path().join(name), "x").expect("written");
        }
        HostFiles.settle(&path).expect("settled");
        assert!(path.exists());
        assert!(names().iter().all(|name| !ours.contains(&name.as_str())));
        std::fs::write(folder.path().join(ours[1]), "x").expect("written");
        HostFiles.remove(&path).expect("removed");
        let mut left = others.to_vec();
        left.sort_unstable();
        assert_eq!(names(), left);
    }

    #[test]
    fn writers_of_one_file_at_the_same_time_leave_one_of_their_texts_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("handles.json");
        let text = |writer: u8| vec![writer; 100_000];
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..10 {
                        write_whole(path, &text(writer), 0o600).expect("written");
                    }
                });
            }
        });
        let found = std::fs::read(&path).expect("a file");
        assert!((0..8).any(|writer| found == text(writer)), "a mixture");
        let names = std::fs::read_dir(folder.path()).expect("a folder");
        assert_eq!(names.count(), 1);
    }

    #[test]
    fn a_folder_that_is_missing_is_not_made_for_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("missing/record.json");
        let error = write_whole(&path, b"new", 0o600).expect_err("no folder");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("missing/record.json"), "{error}");
        create_folder(&folder.path().join("missing"), 0o700).expect("a folder");
        create_folder(&folder.path().join("missing"), 0o700).expect("it is there");
        write_whole(&path, b"new", 0o600).expect("written");
    }
}
