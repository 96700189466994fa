//! Files of a local source.
//!
//! Guarantees: only a regular file is read; a FIFO or a device never makes the caller wait. Who
//! owns the file does not matter: what is read is believed only for its signature and digest.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat};

use super::FetchError;

/// Opens a regular file for reading.
pub(super) fn open(path: &Path) -> Result<File, FetchError> {
    let failed = |source: io::Error| FetchError::Local {
        path: path.into(),
        source,
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let descriptor =
        rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    let stat = fstat(&descriptor).map_err(|errno| failed(errno.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    Ok(File::from(descriptor))
}
