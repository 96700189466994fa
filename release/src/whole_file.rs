//! Writes files whole or not at all.
//!
//! Guarantees: a reader sees the old file or the new one; after success the new one survives a
//! power cut.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

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
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = (|| -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        match if_there {
            IfThere::Replace => file.persist(path)?,
            IfThere::Refuse => file.persist_noclobber(path)?,
        };
        File::open(folder)?.sync_all()
    })();
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => ReleaseError::Exists { path: path.into() },
        _ => ReleaseError::write(path)(error),
    })
}
