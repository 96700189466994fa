//! The next folder of a channel, and the moment in which it becomes the present one.
//!
//! Guarantees: the present folder is not written to; files in the next one replace hard links by new
//! files; everything is synced before the exchange; nothing is left beside the channel.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use banger_installer_trust::HashingWriter;
use banger_installer_trust::model::Digest;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::PublishError;
use crate::ReleaseError;
use crate::whole_file::{IfThere, persist, write};

/// A channel's folder in the making.
pub(super) struct Next {
    parent: PathBuf,
    present: PathBuf,
    coming: PathBuf,
    /// The lock is on the folder itself and goes with this.
    _lock: File,
}

impl Next {
    /// Takes the lock; nothing else has happened then.
    pub(super) fn begin(parent: &Path, channel: &str) -> Result<Self, ReleaseError> {
        fs_err::create_dir_all(parent).map_err(ReleaseError::write(parent))?;
        let lock = File::open(parent).map_err(ReleaseError::read(parent))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(PublishError::Locked {
                    path: parent.into(),
                }
                .into());
            }
            Err(TryLockError::Error(source)) => return Err(ReleaseError::write(parent)(source)),
        }
        Ok(Self {
            parent: parent.into(),
            present: parent.join(channel),
            coming: parent.join(format!(".{channel}.next")),
            _lock: lock,
        })
    }

    /// The channel's folder as it stands; maybe not there.
    pub(super) fn present(&self) -> &Path {
        &self.present
    }

    /// Makes the next folder, with all that is in the present one.
    pub(super) fn build(&self) -> Result<(), ReleaseError> {
        // of a run that was killed, before or after its exchange
        remove(&self.coming)?;
        fs_err::create_dir(&self.coming).map_err(ReleaseError::write(&self.coming))?;
        if self.present.exists() {
            adopt(&self.present, &self.coming)?;
            link_all(&self.present, &self.coming)?;
        }
        Ok(())
    }

    /// Is there such a file?
    pub(super) fn has(&self, name: &str) -> bool {
        self.coming.join(name).is_file()
    }

    /// Copies a file in; it must have this digest.
    pub(super) fn copy(&self, from: &Path, name: &str, said: Digest) -> Result<(), ReleaseError> {
        let to = self.coming.join(name);
        let mut reader = File::open(from).map_err(ReleaseError::read(from))?;
        let file =
            tempfile::NamedTempFile::new_in(&self.coming).map_err(ReleaseError::write(&to))?;
        let mut hashing = HashingWriter::new(file);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReleaseError::read(from)(error)),
            };
            hashing
                .write_all(buffer.get(..count).unwrap_or_default())
                .map_err(ReleaseError::write(&to))?;
        }
        let (file, measured) = hashing.finish();
        if measured.digest != said {
            return Err(PublishError::Digest {
                name: name.into(),
                found: measured.digest,
                said,
            }
            .into());
        }
        persist(file, &to, 0o644, IfThere::Replace)
    }

    /// Writes a file in place of what may be there.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ReleaseError> {
        write(&self.coming.join(name), bytes, 0o644, IfThere::Replace)
    }

    /// Takes a file away, if it is there.
    pub(super) fn remove(&self, name: &str) -> Result<(), ReleaseError> {
        let path = self.coming.join(name);
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ReleaseError::write(&path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Makes the next folder the present one; the old one goes.
    pub(super) fn exchange(self) -> Result<PathBuf, ReleaseError> {
        let (coming, present) = (&self.coming, &self.present);
        sync(coming)?;
        if present.exists() {
            match renameat_with(CWD, coming, CWD, present, RenameFlags::EXCHANGE) {
                Ok(()) => {}
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                    let path = present.clone();
                    return Err(PublishError::NoExchange { path }.into());
                }
                Err(errno) => return Err(ReleaseError::write(present)(errno.into())),
            }
        } else {
            fs_err::rename(coming, present).map_err(ReleaseError::write(present))?;
        }
        sync(&self.parent)?;
        Ok(present.clone())
    }
}

impl Drop for Next {
    /// Takes away the old folder, or the one that does not become the next; the next publication
    /// does it when this cannot.
    fn drop(&mut self) {
        let _ = remove(&self.coming);
    }
}

/// Gives everything in a folder a second name in another.
fn link_all(from: &Path, to: &Path) -> Result<(), ReleaseError> {
    for entry in fs_err::read_dir(from).map_err(ReleaseError::read(from))? {
        let entry = entry.map_err(ReleaseError::read(from))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(ReleaseError::read(&path))?;
        let written = ReleaseError::write(&copy);
        if kind.is_file() {
            fs_err::hard_link(&path, &copy).map_err(written)?;
        } else if kind.is_dir() {
            fs_err::create_dir(&copy).map_err(written)?;
            adopt(&path, &copy)?;
            link_all(&path, &copy)?;
        } else if kind.is_symlink() {
            let target = fs_err::read_link(&path).map_err(ReleaseError::read(&path))?;
            symlink(target, &copy).map_err(written)?;
        } else {
            return Err(PublishError::Strange { path }.into());
        }
    }
    sync(to)
}

/// Gives a new folder the owner, group and mode of the one that it stands for.
fn adopt(from: &Path, to: &Path) -> Result<(), ReleaseError> {
    let wanted = fs_err::metadata(from).map_err(ReleaseError::read(from))?;
    let found = fs_err::metadata(to).map_err(ReleaseError::read(to))?;
    if (wanted.uid(), wanted.gid()) != (found.uid(), found.gid()) {
        chown(to, Some(wanted.uid()), Some(wanted.gid())).map_err(ReleaseError::write(to))?;
    }
    fs_err::set_permissions(to, wanted.permissions()).map_err(ReleaseError::write(to))
}

fn remove(folder: &Path) -> Result<(), ReleaseError> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ReleaseError::write(folder)(error))
        }
        _ => Ok(()),
    }
}

fn sync(folder: &Path) -> Result<(), ReleaseError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(ReleaseError::write(folder))
}
