//! The lock of the one run that may change the host.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::ErrorKind;

/// A lock that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run has it.
    #[error("another run is at work{}", .holder.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Held {
        /// The pid that the other run wrote, when it could be read.
        holder: Option<u32>,
    },
    /// The lock file cannot be used.
    #[error("the lock {} cannot be taken", path.display())]
    File {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl LockError {
    /// What the user can type.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Held { holder: Some(pid) } => Some(format!(
                "wait until it has ended; see what it is: ps -fp {pid}"
            )),
            Self::Held { holder: None } => Some("wait until it has ended, then try again".into()),
            Self::File { path, source } => has_no_room(source).then(|| {
                let folder = path.parent().unwrap_or(path).display();
                format!("nothing was changed; make room and try again: df -h {folder}")
            }),
        }
    }

    /// Which kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Held { .. } => ErrorKind::Locked,
            Self::File { source, .. } if has_no_room(source) => ErrorKind::HostLacks,
            Self::File { .. } => ErrorKind::Other,
        }
    }
}

fn has_no_room(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// The lock, held until dropped: `flock(2)`, so the kernel lets go of it when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says at once who has it. Its folder is made when it is missing.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::File {
            path: path.into(),
            source,
        };
        loop {
            if let Some(folder) = path.parent() {
                make_private_folder(folder).map_err(failed)?;
            }
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)
                .map_err(failed)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    return Err(LockError::Held {
                        holder: holder(&mut file),
                    });
                }
                Err(error) => return Err(failed(error.into())),
            }
            // an uninstall removes the file while it holds it: a lock on a file without a name
            // keeps nobody out
            if names_this_file(path, &file) {
                file.set_len(0).map_err(failed)?;
                writeln!(file, "{}", std::process::id()).map_err(failed)?;
                return Ok(Self { _file: file });
            }
        }
    }
}

fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

fn names_this_file(path: &Path, file: &File) -> bool {
    match (std::fs::symlink_metadata(path), file.metadata()) {
        (Ok(named), Ok(open)) => (named.dev(), named.ino()) == (open.dev(), open.ino()),
        _ => false,
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_told_who_holds_it_and_a_later_one_gets_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state/lock");
        let held = Lock::take(&path).expect("the first");
        assert!(matches!(
            Lock::take(&path),
            Err(LockError::Held { holder: Some(pid) }) if pid == std::process::id()
        ));
        drop(held);
        Lock::take(&path).expect("the third");
    }
}
