//! Writes files whole or not at all.
//!
//! Guarantees: a reader sees the old file or the new one; after success the new one survives a
//! power cut.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::ReleaseError;

/// What to do when the file is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfThere {
    Replace,
    Refuse,
}

/// Writes a file: beside it, synced, then renamed (or linked, which refuses an existing name).
pub(crate) fn write(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    if_there: IfThere,
) -> Result<(), ReleaseError> {
    let beside = || -> io::Result<NamedTempFile> {
        let mut file = NamedTempFile::new_in(folder_of(path))?;
        file.write_all(bytes)?;
        Ok(file)
    };
    let file = beside().map_err(ReleaseError::write(path))?;
    persist(file, path, mode, if_there)
}

/// Gives a file that was written beside `path` its name.
pub(crate) fn persist(
    file: NamedTempFile,
    path: &Path,
    mode: u32,
    if_there: IfThere,
) -> Result<(), ReleaseError> {
    let persisted = (|| -> io::Result<()> {
        file.as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        match if_there {
            IfThere::Replace => file.persist(path)?,
            IfThere::Refuse => file.persist_noclobber(path)?,
        };
        File::open(folder_of(path))?.sync_all()
    })();
    persisted.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => ReleaseError::Exists { path: path.into() },
        _ => ReleaseError::write(path)(error),
    })
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
