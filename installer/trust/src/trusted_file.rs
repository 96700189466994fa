//! Opens files that decide what root will run.
//!
//! Guarantees: what is opened is a regular file (or a folder, where one is asked for) that belongs
//! to the required user and that nobody else can write, judged by fstat(2) on the open descriptor;
//! a symbolic link in the last place is refused, and a FIFO cannot make the caller wait.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use banger_installer_host::Hint;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;

/// A file that must not be trusted, or cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustedFileError {
    /// A symbolic link, folder, device or FIFO where a file must be (or no folder where one must).
    #[error("{} is not a {wanted}", path.display())]
    Kind {
        /// The path.
        path: PathBuf,
        /// What it should be.
        wanted: &'static str,
    },
    /// Another user owns it, and so decides what is in it.
    #[error("{} belongs to uid {found}, not to uid {required}", path.display())]
    Owner {
        /// The path.
        path: PathBuf,
        /// Its owner.
        found: u32,
        /// Who must own it.
        required: u32,
    },
    /// Group or others may write it.
    #[error("{} can be written by others (mode {:04o})", path.display(), mode)]
    Writable {
        /// The path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Far larger than such a file is.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// Not UTF-8.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The path.
        path: PathBuf,
    },
    /// The kernel says no.
    #[error("cannot read {}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl TrustedFileError {
    /// What to type.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Kind { path, wanted } => Some(Hint::Text(format!(
                "put a {wanted} of root's in its place: ls -l {}",
                path.display()
            ))),
            Self::Owner { path, required, .. } => Some(Hint::Text(format!(
                "sudo chown {required} {}",
                path.display()
            ))),
            Self::Writable { path, .. } => {
                Some(Hint::Text(format!("sudo chmod go-w {}", path.display())))
            }
            Self::TooLarge { path, .. } | Self::NotText { path } => Some(Hint::Text(format!(
                "look at it: head -c 300 {}",
                path.display()
            ))),
            Self::Io { .. } => None,
        }
    }
}

/// What a path must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    File,
    Folder,
}

/// Opens a trusted folder; `None` when there is none.
pub fn open_folder(path: &Path, required_uid: u32) -> Result<Option<File>, TrustedFileError> {
    open(CWD, path, path, required_uid, Wanted::Folder)
}

/// Reads a trusted text file beneath an open trusted folder; `None` when there is none.
///
/// `shown` is the whole path, for messages; `name` is the file's name in the folder.
pub fn read_beneath(
    folder: &File,
    name: &Path,
    shown: &Path,
    required_uid: u32,
    limit: u64,
) -> Result<Option<String>, TrustedFileError> {
    let Some(file) = open(folder, name, shown, required_uid, Wanted::File)? else {
        return Ok(None);
    };
    let path = || shown.to_path_buf();
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| TrustedFileError::Io {
            path: path(),
            source,
        })?;
    if bytes.len() as u64 > limit {
        return Err(TrustedFileError::TooLarge {
            path: path(),
            limit,
        });
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| TrustedFileError::NotText { path: path() })
}

fn open(
    beneath: impl AsFd,
    name: &Path,
    shown: &Path,
    required_uid: u32,
    wanted: Wanted,
) -> Result<Option<File>, TrustedFileError> {
    let wanted_kind = match wanted {
        Wanted::File => "regular file",
        Wanted::Folder => "folder",
    };
    let kind = || TrustedFileError::Kind {
        path: shown.to_path_buf(),
        wanted: wanted_kind,
    };
    let io = |errno: Errno| TrustedFileError::Io {
        path: shown.to_path_buf(),
        source: errno.into(),
    };
    let mut flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    if wanted == Wanted::Folder {
        flags |= OFlags::DIRECTORY;
    }
    let descriptor = match openat(beneath, name, flags, Mode::empty()) {
        Ok(descriptor) => descriptor,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => return Err(kind()),
        Err(errno) => return Err(io(errno)),
    };
    let stat = fstat(&descriptor).map_err(io)?;
    let found = FileType::from_raw_mode(stat.st_mode);
    let fits = match wanted {
        Wanted::File => found == FileType::RegularFile,
        Wanted::Folder => found == FileType::Directory,
    };
    if !fits {
        return Err(kind());
    }
    if stat.st_uid != required_uid {
        return Err(TrustedFileError::Owner {
            path: shown.to_path_buf(),
            found: stat.st_uid,
            required: required_uid,
        });
    }
    if stat.st_mode & 0o022 != 0 {
        return Err(TrustedFileError::Writable {
            path: shown.to_path_buf(),
            mode: stat.st_mode & 0o7777,
        });
    }
    Ok(Some(File::from(descriptor)))
}
