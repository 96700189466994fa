//! The folder that an archive is unpacked to.
//!
//! Guarantees: it did not exist before; every file in it was made by us, beneath a descriptor that
//! is held from the beginning, following no link; modes do not depend on the umask.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, fchmod, mkdirat, openat};
use rustix::io::Errno;

use super::{ExpectedEntry, UnpackError};
use crate::error::is_disk_full;
use banger_installer_host::HashingWriter;

const FOLDER_MODE: u32 = 0o755;

/// A new folder and the folders in it, all held open.
#[derive(Debug)]
pub(super) struct Destination {
    path: PathBuf,
    parent: File,
    root: File,
    folders: std::cell::RefCell<BTreeMap<String, File>>,
}

impl Destination {
    pub(super) fn create(path: &Path) -> Result<Self, UnpackError> {
        let failed = |errno: Errno| write_failed(path, 0, errno.into());
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(failed(Errno::INVAL));
        };
        let parent = open_folder(CWD, parent).map_err(failed)?;
        mkdirat(&parent, name, Mode::from_raw_mode(0o700)).map_err(failed)?;
        let root = open_folder(&parent, name).map_err(failed)?;
        Ok(Self {
            path: path.into(),
            parent,
            root,
            folders: std::cell::RefCell::default(),
        })
    }

    /// Writes one file of exactly `size` bytes and syncs it.
    pub(super) fn write(
        &self,
        entry: &ExpectedEntry,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<(), UnpackError> {
        let failed = |error: io::Error| write_failed(&self.path.join(&entry.path), size, error);
        let (folder, name) = match entry.path.rsplit_once('/') {
            Some((folder, name)) => (Some(folder), name),
            None => (None, entry.path.as_str()),
        };
        if let Some(folder) = folder {
            self.make_folders(folder).map_err(failed)?;
        }
        let folders = self.folders.borrow();
        let folder = match folder {
            Some(folder) => folders.get(folder),
            None => Some(&self.root),
        };
        let folder = folder.ok_or_else(|| failed(Errno::NOENT.into()))?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = openat(folder, name, flags, Mode::from_raw_mode(0o600))
            .map_err(|errno| failed(errno.into()))?;
        let mut file = File::from(descriptor);
        let mut hashing = HashingWriter::new(&mut file);
        let copied = copy(content, &mut hashing, failed)?;
        let (_, measured) = hashing.finish();
        if copied != size {
            return Err(UnpackError::Archive(io::ErrorKind::UnexpectedEof.into()));
        }
        if entry.digest.is_some_and(|digest| digest != measured.digest) {
            return Err(UnpackError::Digest {
                name: entry.path.clone(),
            });
        }
        fchmod(&file, Mode::from_raw_mode(entry.mode)).map_err(|errno| failed(errno.into()))?;
        file.sync_all().map_err(failed)
    }

    /// Gives the folders their modes and syncs them, the parent's entry last.
    pub(super) fn publish(&self) -> Result<(), UnpackError> {
        let failed = |error: io::Error| write_failed(&self.path, 0, error);
        for folder in self.folders.borrow().values().chain([&self.root]) {
            fchmod(folder, Mode::from_raw_mode(FOLDER_MODE))
                .map_err(|errno| failed(errno.into()))?;
            folder.sync_all().map_err(failed)?;
        }
        self.parent.sync_all().map_err(failed)
    }

    /// Takes away what was made. What cannot be taken away stays in the staging folder, which the
    /// next operation clears; the error that led here matters more.
    pub(super) fn discard(&self) {
        let _ = fs_err::remove_dir_all(&self.path);
    }

    /// Makes a folder and those above it, each in the held one above.
    fn make_folders(&self, path: &str) -> io::Result<()> {
        let ends = path.match_indices('/').map(|(end, _)| end);
        for end in ends.chain([path.len()]) {
            self.make_folder(path.get(..end).unwrap_or(path))?;
        }
        Ok(())
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        let mut folders = self.folders.borrow_mut();
        if folders.contains_key(path) {
            return Ok(());
        }
        let (above, name) = match path.rsplit_once('/') {
            Some((above, name)) => (folders.get(above), name),
            None => (Some(&self.root), path),
        };
        let above = above.ok_or(Errno::NOENT)?;
        mkdirat(above, name, Mode::from_raw_mode(0o700))?;
        let folder = open_folder(above, name)?;
        folders.insert(path.into(), folder);
        Ok(())
    }
}

fn open_folder(
    beneath: impl std::os::fd::AsFd,
    name: impl rustix::path::Arg,
) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(beneath, name, flags, Mode::empty()).map(File::from)
}

/// Like [`io::copy`], but tells a bad archive from a bad disk.
fn copy(
    from: &mut dyn Read,
    to: &mut dyn io::Write,
    failed: impl Fn(io::Error) -> UnpackError,
) -> Result<u64, UnpackError> {
    let mut buffer = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(count) => {
                to.write_all(buffer.get(..count).unwrap_or_default())
                    .map_err(&failed)?;
                copied += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(UnpackError::Archive(error)),
        }
    }
}

fn write_failed(path: &Path, needed: u64, source: io::Error) -> UnpackError {
    let path = path.to_path_buf();
    if is_disk_full(&source) {
        UnpackError::DiskFull { path, needed }
    } else {
        UnpackError::Write { path, source }
    }
}
