//! Files of a local source.
//!
//! Guarantees: only a regular file is read; a FIFO or a device never makes the caller wait. Who
//! owns the file does not matter: what is read is believed only for its signature and digest.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, fstat};

use super::FetchError;
use super::transport::Incoming;

/// A regular file that is being read.
#[derive(Debug)]
pub(super) struct LocalFile {
    path: PathBuf,
    file: File,
}

/// Opens a regular file for reading.
pub(super) fn open(path: &Path) -> Result<LocalFile, FetchError> {
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
    Ok(LocalFile {
        path: path.into(),
        file: File::from(descriptor),
    })
}

impl Incoming for LocalFile {
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, FetchError> {
        loop {
            match self.file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    return read.map_err(|source| FetchError::Local {
                        path: self.path.clone(),
                        source,
                    });
                }
            }
        }
    }
}
