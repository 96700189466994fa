//! Whole operations, made of a disk's primitive ones.
//!
//! Guarantees: contents are synced before a name leads to them, and every folder whose names have
//! changed is synced before a call returns, the folders that it had to make included.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::{Disk, Kind, Status};
use crate::{Digest, FileImage, Fingerprint, Found};

type Io<T> = io::Result<T>;

pub(super) fn look<D: Disk>(disk: &D, path: &Path) -> Io<Found> {
    let status = match disk.status(path) {
        Ok(status) => status,
        Err(error) if is_absent(&error) => return Ok(Found::Missing),
        Err(error) => return Err(error),
    };
    Ok(match status.kind {
        Kind::Link => Found::Link(disk.read_link(path)?),
        Kind::Folder => Found::Folder,
        Kind::File => Found::File(FileImage {
            contents: disk.read(path)?.into(),
            mode: status.mode,
            uid: status.uid,
            gid: status.gid,
        }),
        Kind::Other => Found::Other,
    })
}

pub(super) fn fingerprint<D: Disk>(disk: &D, path: &Path) -> Io<Option<Fingerprint>> {
    let digest = |status| fingerprint_of(status, disk.digest(path));
    file_status(disk, path)?.map(digest).transpose()
}

/// Of several files, hashed as the disk does it best.
pub(super) fn fingerprints<D: Disk>(disk: &D, paths: &[PathBuf]) -> Vec<Io<Option<Fingerprint>>> {
    let statuses: Vec<_> = paths.iter().map(|path| file_status(disk, path)).collect();
    let of_files = paths.iter().zip(&statuses);
    let files: Vec<&Path> = of_files
        .filter(|(_, status)| matches!(status, Ok(Some(_))))
        .map(|(path, _)| path.as_path())
        .collect();
    let mut digests = disk.digests(&files).into_iter();
    statuses
        .into_iter()
        .map(|status| {
            let Some(status) = status? else {
                return Ok(None);
            };
            let digest = digests.next();
            digest
                .map(|digest| fingerprint_of(status, digest))
                .transpose()
        })
        .collect()
}

/// What stands at a path, when it is a regular file.
fn file_status<D: Disk>(disk: &D, path: &Path) -> Io<Option<Status>> {
    match disk.status(path) {
        Ok(status) => Ok(Some(status).filter(|status| status.kind == Kind::File)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn fingerprint_of(status: Status, digest: Io<Digest>) -> Io<Fingerprint> {
    Ok(Fingerprint {
        digest: digest?,
        mode: status.mode,
        uid: status.uid,
    })
}

/// What a folder is like; none where no folder stands.
pub(super) fn folder_status<D: Disk>(disk: &D, path: &Path) -> Io<Option<Status>> {
    match disk.status(path) {
        Ok(status) => Ok(Some(status).filter(|status| status.kind == Kind::Folder)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn status_changed<D: Disk>(disk: &D, path: &Path) -> Io<Option<i64>> {
    match disk.status_changed(path) {
        Ok(changed) => Ok(Some(changed)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn list<D: Disk>(disk: &D, folder: &Path) -> Io<Vec<OsString>> {
    let mut names = match disk.names(folder) {
        Ok(names) => names,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    names.sort();
    Ok(names)
}

pub(super) fn same_tree<D: Disk>(disk: &D, left: &Path, right: &Path) -> Io<bool> {
    match (look(disk, left)?, look(disk, right)?) {
        (Found::Folder, Found::Folder) => {
            let names = list(disk, left)?;
            if names != list(disk, right)? {
                return Ok(false);
            }
            for name in names {
                if !same_tree(disk, &left.join(&name), &right.join(&name))? {
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

/// A name beside the path that no reader looks at. One operation at a time: it may be a fixed one.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".installer");
    name.push(NEW);
    path.with_file_name(name)
}

/// What ends the name of a file that is to become another.
const NEW: &str = "-new";

/// Removes what a write that was interrupted left beside a path: `.NAME.WORD-new`, whichever word
/// the version that wrote it used.
fn remove_unfinished<D: Disk>(disk: &D, path: &Path) -> Io<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(());
    };
    let start = format!(".{}.", name.to_string_lossy());
    for found in list(disk, folder)? {
        let text = found.to_string_lossy();
        let word = text
            .strip_prefix(&start)
            .and_then(|rest| rest.strip_suffix(NEW));
        if word.is_some_and(|word| !word.is_empty() && !word.contains('.')) {
            remove_one(disk, &folder.join(&found))?;
        }
    }
    Ok(())
}

pub(super) fn write<D: Disk>(disk: &D, path: &Path, image: &FileImage) -> Io<()> {
    make_parent(disk, path)?;
    replace(disk, &beside(path), path, image)?;
    settle(disk, path)
}

/// As [`write`], in a folder that is there and in which others may write at the same time: `mark` is
/// the writer's own.
pub(super) fn write_among_others<D: Disk>(
    disk: &D,
    path: &Path,
    image: &FileImage,
    mark: &str,
) -> Io<()> {
    let mut name = beside(path).into_os_string();
    name.push(mark);
    replace(disk, Path::new(&name), path, image)?;
    sync_parent(disk, path)
}

/// Writes a file beside the path and renames it: whole, or not at all.
fn replace<D: Disk>(disk: &D, temporary: &Path, path: &Path, image: &FileImage) -> Io<()> {
    remove_one(disk, temporary)?;
    let written = fill(disk, temporary, image).and_then(|()| disk.rename(temporary, path));
    if written.is_err() {
        // the first error is the one to tell
        let _ = disk.unlink(temporary);
    }
    written
}

/// Makes a file and syncs what is in it.
fn fill<D: Disk>(disk: &D, path: &Path, image: &FileImage) -> Io<()> {
    let mut file = disk.create(path)?;
    disk.write(&mut file, image.contents.as_bytes())?;
    disk.set_owner(&file, image.uid, image.gid)?;
    disk.set_mode(&file, image.mode)?;
    disk.sync(&file)
}

pub(super) fn replace_link<D: Disk>(disk: &D, path: &Path, target: &Path) -> Io<()> {
    make_parent(disk, path)?;
    let temporary = beside(path);
    remove_one(disk, &temporary)?;
    let linked = disk
        .make_link(target, &temporary)
        .and_then(|()| disk.rename(&temporary, path));
    if linked.is_err() {
        // the first error is the one to tell
        let _ = disk.unlink(&temporary);
    }
    linked?;
    settle(disk, path)
}

pub(super) fn hard_link<D: Disk>(disk: &D, path: &Path, second: &Path) -> Io<()> {
    disk.hard_link(path, second)?;
    sync_parent(disk, second)
}

pub(super) fn rename<D: Disk>(disk: &D, from: &Path, to: &Path) -> Io<()> {
    make_parent(disk, to)?;
    disk.rename(from, to)?;
    settle(disk, to)?;
    sync_parent(disk, from)
}

pub(super) fn copy_tree<D: Disk>(disk: &D, from: &Path, to: &Path) -> Io<()> {
    remove_one(disk, to)?;
    make_parent(disk, to)?;
    copy_beneath(disk, from, to)?;
    settle(disk, to)
}

fn copy_beneath<D: Disk>(disk: &D, from: &Path, to: &Path) -> Io<()> {
    let status = disk.status(from)?;
    match status.kind {
        Kind::Folder => {
            disk.make_folder(to)?;
            disk.set_folder_mode(to, 0o755)?;
            for name in list(disk, from)? {
                copy_beneath(disk, &from.join(&name), &to.join(&name))?;
            }
            disk.sync_folder(to)
        }
        Kind::File => {
            let mut file = disk.create(to)?;
            disk.write(&mut file, &disk.read(from)?)?;
            disk.set_mode(&file, status.mode)?;
            disk.sync(&file)
        }
        Kind::Link | Kind::Other => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is neither a file nor a folder", from.display()),
        )),
    }
}

/// With what an operation that died may have left beside it.
pub(super) fn remove<D: Disk>(disk: &D, path: &Path) -> Io<()> {
    remove_unfinished(disk, path)?;
    remove_one(disk, path)
}

fn remove_one<D: Disk>(disk: &D, path: &Path) -> Io<()> {
    let removed = match disk.status(path) {
        Ok(status) if status.kind == Kind::Folder => disk.remove_tree(path),
        Ok(_) => disk.unlink(path),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => sync_parent(disk, path),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn remove_if_empty<D: Disk>(disk: &D, folder: &Path) -> Io<()> {
    match disk.remove_folder(folder) {
        Ok(()) => sync_parent(disk, folder),
        Err(error) if is_absent(&error) || error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

pub(super) fn sync_enablement<D: Disk>(disk: &D, units: &Path) -> Io<()> {
    for name in list(disk, units)? {
        let folder = Path::new(&name);
        let holds_links = folder
            .extension()
            .is_some_and(|kind| kind == "wants" || kind == "requires" || kind == "upholds");
        if holds_links {
            sync_folder(disk, &units.join(folder))?;
        }
    }
    sync_folder(disk, units)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn make_parent<D: Disk>(disk: &D, path: &Path) -> Io<()> {
    path.parent()
        .map_or(Ok(()), |folder| make_folders(disk, folder))
}

/// Makes what is missing of a folder's path, the entry of each synced before the next is made.
fn make_folders<D: Disk>(disk: &D, folder: &Path) -> Io<()> {
    if disk.is_folder(folder) {
        return Ok(());
    }
    make_parent(disk, folder)?;
    match disk.make_folder(folder) {
        // whatever the umask is: nobody but root may write where root's files are looked for
        Ok(()) => disk.set_folder_mode(folder, 0o755)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    sync_parent(disk, folder)
}

/// As [`settle`], without what a write that was interrupted left beside the name.
pub(super) fn settle_alone<D: Disk>(disk: &D, path: &Path) -> Io<()> {
    remove_unfinished(disk, path)?;
    settle(disk, path)
}

/// Syncs the folder that a name stands in, and that folder's own entry: who made the folder, an
/// operation that was killed or another program, may not have done it.
fn settle<D: Disk>(disk: &D, path: &Path) -> Io<()> {
    sync_parent(disk, path)?;
    path.parent()
        .map_or(Ok(()), |folder| sync_parent(disk, folder))
}

fn sync_parent<D: Disk>(disk: &D, path: &Path) -> Io<()> {
    path.parent()
        .map_or(Ok(()), |folder| sync_folder(disk, folder))
}

/// A folder that is gone has nothing left to sync.
fn sync_folder<D: Disk>(disk: &D, folder: &Path) -> Io<()> {
    match disk.sync_folder(folder) {
        Err(error) if is_absent(&error) => Ok(()),
        other => other,
    }
}
