//! The lock of the one operation that may change the host.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::{ErrorKind, Hint};

/// How often a lock that is held is asked for again, and how long after: a quarter of a second in
/// all, which passes over an operation that is just ending.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(25);

/// A lock that was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another operation has it.
    #[error("another operation is in progress{}", .holder.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
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
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Held { holder: Some(pid) } => Some(Hint::Text(format!(
                "wait until it has ended; see what it is: ps -fp {pid}"
            ))),
            Self::Held { holder: None } => Some("wait until it has ended, then try again".into()),
            Self::File { path, source } => has_no_room(source).then(|| {
                let folder = path.parent().unwrap_or(path).display();
                Hint::Text(format!(
                    "nothing was changed; free space and try again: df -h {folder}"
                ))
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
    file: File,
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
        let mut tries = 0;
        loop {
            let file = open(path).map_err(failed)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                // an operation that is just ending, or a look of the rescue unit
                Err(Errno::WOULDBLOCK) if tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(PAUSE);
                    continue;
                }
                Err(Errno::WOULDBLOCK) => {
                    return Err(LockError::Held {
                        holder: Self::holder(path)?,
                    });
                }
                Err(error) => return Err(failed(error.into())),
            }
            // an uninstall removes the file while it holds it: a lock on a file without a name
            // keeps nobody out
            if names_this_file(path, &file) {
                return Ok(Self { file });
            }
        }
    }
}

impl std::os::fd::AsFd for Lock {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Lock {
    /// The lock at `path` as this process inherited it, under that number, from one that holds it. It
    /// lasts until both have ended.
    ///
    /// # Errors
    /// [`LockError`], when the descriptor is no such lock.
    pub fn inherited(descriptor: u32, path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::File {
            path: path.into(),
            source,
        };
        let file = File::open(format!("/proc/self/fd/{descriptor}")).map_err(failed)?;
        if !names_this_file(path, &file) {
            return Err(failed(std::io::Error::other("it is another file")));
        }
        // the locks of this very open file (proc_pid_fdinfo(5)), whoever else may hold one
        let facts = format!("/proc/self/fdinfo/{descriptor}");
        let facts = std::fs::read_to_string(facts).map_err(failed)?;
        let is_held = |line: &str| line.starts_with("lock:") && line.contains(" FLOCK ");
        if !facts.lines().any(is_held) {
            return Err(failed(std::io::Error::other("it is not locked")));
        }
        Ok(Self { file })
    }

    /// Who holds the lock at `path`, by the kernel's own table (`proc_locks(5)`); none when it is
    /// free. Takes no lock, so that nobody is turned away for the sake of a look.
    ///
    /// # Errors
    /// [`LockError::File`], when the table cannot be read.
    pub fn holder(path: &Path) -> Result<Option<u32>, LockError> {
        let failed = |source| LockError::File {
            path: path.into(),
            source,
        };
        let found = match std::fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let (major, minor) = (
            rustix::fs::major(found.dev()),
            rustix::fs::minor(found.dev()),
        );
        let name = format!("{major:02x}:{minor:02x}:{}", found.ino());
        let table = std::fs::read_to_string("/proc/locks").map_err(failed)?;
        Ok(table.lines().find_map(|line| flock_holder(line, &name)))
    }
}

/// The pid in a line of `/proc/locks`, when it is of a `flock(2)` that is held, not waited for.
fn flock_holder(line: &str, name: &str) -> Option<u32> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    match words.as_slice() {
        [_number, "FLOCK", _kind, _access, pid, file, ..] if *file == name => pid.parse().ok(),
        _ => None,
    }
}

/// Opens the file, and makes it only when it is not there: an operation that finds nothing to do
/// changes nothing, not even here. Who holds the lock is in the kernel's table, not in the file.
fn open(path: &Path) -> std::io::Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    if let Some(folder) = path.parent() {
        make_private_folder(folder)?;
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_waits_for_a_lock_does_not_hold_it() {
        let held = "3: FLOCK  ADVISORY  WRITE 77 00:1a:12 0 EOF";
        assert_eq!(flock_holder(held, "00:1a:12"), Some(77));
        assert_eq!(flock_holder(held, "00:1a:13"), None);
        let waits = "3: -> FLOCK  ADVISORY  WRITE 78 00:1a:12 0 EOF";
        assert_eq!(flock_holder(waits, "00:1a:12"), None);
        let other = "4: POSIX  ADVISORY  WRITE 79 00:1a:12 0 EOF";
        assert_eq!(flock_holder(other, "00:1a:12"), None);
    }

    #[test]
    fn a_second_run_is_told_who_holds_it_and_a_later_one_gets_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state/lock");
        let held = Lock::take(&path).expect("the first");
        assert!(matches!(
            Lock::take(&path),
            Err(LockError::Held { holder: Some(pid) }) if pid == std::process::id()
        ));
        assert_eq!(
            Lock::holder(&path).expect("a look"),
            Some(std::process::id())
        );
        drop(held);
        assert_eq!(Lock::holder(&path).expect("a look"), None);
        Lock::take(&path).expect("the third");
    }
}
