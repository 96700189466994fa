//! The file system, as far as the toolkit changes it.
//!
//! Guarantees: a file or link at its path is always the whole old or the whole new one, and what
//! was written is on the disk when a call returns (contents and folder entry, fsync(2)). No call
//! follows a symbolic link at the path that it is given. What is already gone counts as removed.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::ErrorKind;
use crate::model::{FileImage, Fingerprint, Found};
use crate::verify::HashingWriter;

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
    pub fn hint(&self) -> Option<String> {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(format!(
                "make room on its file system and try again: df -h {}",
                self.path.parent().unwrap_or(&self.path).display()
            )),
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
    /// Removes a file, a link, or a folder with all in it.
    fn remove(&self, path: &Path) -> Result<(), FilesError>;
    /// Removes a folder if nothing is in it.
    fn remove_if_empty(&self, folder: &Path) -> Result<(), FilesError>;
}

/// This machine's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostFiles;

type Io<T> = io::Result<T>;

fn tell<T>(what: &'static str, path: &Path, result: Io<T>) -> Result<T, FilesError> {
    result.map_err(|source| FilesError {
        what,
        path: path.into(),
        source,
    })
}

impl Files for HostFiles {
    fn look(&self, path: &Path) -> Result<Found, FilesError> {
        tell("read", path, look(path))
    }

    fn list(&self, folder: &Path) -> Result<Vec<OsString>, FilesError> {
        tell("list", folder, list(folder))
    }

    fn same_tree(&self, left: &Path, right: &Path) -> Result<bool, FilesError> {
        tell("compare", left, same_tree(left, right))
    }

    fn fingerprint(&self, path: &Path) -> Result<Option<Fingerprint>, FilesError> {
        tell("read", path, fingerprint(path))
    }

    fn status_changed(&self, path: &Path) -> Result<Option<i64>, FilesError> {
        let changed = match std::fs::metadata(path) {
            Ok(metadata) => Ok(Some(
                metadata.ctime() * 1_000_000 + metadata.ctime_nsec() / 1_000,
            )),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        };
        tell("look at", path, changed)
    }

    fn free_bytes(&self, path: &Path) -> Result<u64, FilesError> {
        let free = rustix::fs::statvfs(path).map_err(io::Error::from);
        tell("measure", path, free).map(|found| found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn write_whole(&self, path: &Path, image: &FileImage) -> Result<(), FilesError> {
        tell("write", path, write_whole(path, image))
    }

    fn replace_link(&self, path: &Path, target: &Path) -> Result<(), FilesError> {
        tell("link", path, replace_link(path, target))
    }

    fn hard_link(&self, path: &Path, second: &Path) -> Result<(), FilesError> {
        let linked = std::fs::hard_link(path, second).and_then(|()| sync_parent(second));
        tell("link", second, linked)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), FilesError> {
        let moved = make_parent(to)
            .and_then(|()| std::fs::rename(from, to))
            .and_then(|()| sync_parent(from))
            .and_then(|()| sync_parent(to));
        tell("move", from, moved)
    }

    fn copy_tree(&self, from: &Path, to: &Path) -> Result<(), FilesError> {
        let copied = remove(to)
            .and_then(|()| make_parent(to))
            .and_then(|()| copy_tree(from, to))
            .and_then(|()| sync_parent(to));
        tell("copy to", to, copied)
    }

    fn remove(&self, path: &Path) -> Result<(), FilesError> {
        // what a run that died may have left beside it, too
        tell(
            "remove",
            path,
            remove(&beside(path)).and_then(|()| remove(path)),
        )
    }

    fn remove_if_empty(&self, folder: &Path) -> Result<(), FilesError> {
        let removed = match std::fs::remove_dir(folder) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
                ) =>
            {
                Ok(())
            }
            other => other,
        };
        tell("remove", folder, removed)
    }
}

fn look(path: &Path) -> Io<Found> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => return Ok(Found::Missing),
        Err(error) => return Err(error),
    };
    let kind = metadata.file_type();
    Ok(if kind.is_symlink() {
        Found::Link(std::fs::read_link(path)?)
    } else if kind.is_dir() {
        Found::Folder
    } else if kind.is_file() {
        Found::File(FileImage {
            contents: std::fs::read(path)?.into(),
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
        })
    } else {
        Found::Other
    })
}

fn fingerprint(path: &Path) -> Io<Option<Fingerprint>> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            let mut hashed = HashingWriter::new(io::sink());
            io::copy(&mut std::fs::File::open(path)?, &mut hashed)?;
            Ok(Some(Fingerprint {
                digest: hashed.finish().1.digest,
                mode: metadata.mode() & 0o7777,
                uid: metadata.uid(),
            }))
        }
        Ok(_) => Ok(None),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn list(folder: &Path) -> Io<Vec<OsString>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Io<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn same_tree(left: &Path, right: &Path) -> Io<bool> {
    match (look(left)?, look(right)?) {
        (Found::Folder, Found::Folder) => {
            let names = list(left)?;
            if names != list(right)? {
                return Ok(false);
            }
            for name in names {
                if !same_tree(&left.join(&name), &right.join(&name))? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        // whose it is does not matter: what is published belongs to root
        (Found::File(left), Found::File(right)) => {
            Ok(left.contents == right.contents && left.mode == right.mode)
        }
        (Found::Link(left), Found::Link(right)) => Ok(left == right),
        _ => Ok(false),
    }
}

/// A name beside the path that no reader looks at. One run at a time: it may be a fixed one.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".banger-new");
    path.with_file_name(name)
}

fn write_whole(path: &Path, image: &FileImage) -> Io<()> {
    use std::io::Write as _;
    make_parent(path)?;
    let temporary = beside(path);
    remove(&temporary)?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&temporary)?;
    let written = file
        .write_all(image.contents.as_bytes())
        .and_then(|()| own(&file, image.uid, image.gid))
        .and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(image.mode)))
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // the first error is the one to tell
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    sync_parent(path)
}

/// Gives a file its owner, where it has another: without privilege only the own files can be made.
fn own(file: &std::fs::File, uid: u32, gid: u32) -> Io<()> {
    let metadata = file.metadata()?;
    if (metadata.uid(), metadata.gid()) == (uid, gid) || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(uid), Some(gid))
}

fn replace_link(path: &Path, target: &Path) -> Io<()> {
    make_parent(path)?;
    let temporary = beside(path);
    remove(&temporary)?;
    std::os::unix::fs::symlink(target, &temporary)?;
    std::fs::rename(&temporary, path)?;
    sync_parent(path)
}

fn copy_tree(from: &Path, to: &Path) -> Io<()> {
    let kind = std::fs::symlink_metadata(from)?.file_type();
    if kind.is_dir() {
        std::fs::create_dir(to)?;
        std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o755))?;
        for name in list(from)? {
            copy_tree(&from.join(&name), &to.join(&name))?;
        }
        return std::fs::File::open(to)?.sync_all();
    }
    if !kind.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is neither a file nor a folder", from.display()),
        ));
    }
    std::fs::copy(from, to)?;
    std::fs::File::open(to)?.sync_all()
}

fn remove(path: &Path) -> Io<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => sync_parent(path),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn make_parent(path: &Path) -> Io<()> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)
}

fn sync_parent(path: &Path) -> Io<()> {
    match path.parent() {
        Some(folder) if folder.is_dir() => std::fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}
