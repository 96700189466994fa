//! From a stream of bytes to a file without a name, hashed on the way.
//!
//! Guarantees: at most one byte more than was signed is taken from the stream; the file never has a
//! name that another process could open; a [`SpooledArchive`] exists only when size and SHA-256 of
//! what lies in the file are the signed ones.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use super::{ARCHIVE_LIMIT, ExpectedEntries, FetchError, UnpackError, unpack};
use crate::model::Artefact;
use crate::verify::HashingWriter;

const BUFFER: usize = 64 * 1024;

/// Told as a download moves on.
pub trait Progress {
    /// `done` of `total` bytes are there.
    fn advanced(&mut self, done: u64, total: u64);
}

/// Nobody watches.
impl Progress for () {
    fn advanced(&mut self, _done: u64, _total: u64) {}
}

/// An archive whose bytes are the signed ones, held by its only descriptor.
#[derive(Debug)]
pub struct SpooledArchive {
    file: File,
    artefact: Artefact,
}

impl SpooledArchive {
    /// What was fetched.
    pub fn artefact(&self) -> &Artefact {
        &self.artefact
    }

    /// Unpacks it into `destination`, which must not exist; its parent must.
    ///
    /// # Errors
    /// [`UnpackError`]; what had been written beneath `destination` is gone then.
    pub fn unpack(
        mut self,
        expected: &ExpectedEntries,
        destination: &Path,
    ) -> Result<(), UnpackError> {
        self.file
            .seek(SeekFrom::Start(0))
            .map_err(UnpackError::Archive)?;
        unpack::unpack(self.file, expected, destination)
    }
}

/// Reads the archive to its signed size and judges it.
pub(super) fn spool(
    from: &mut dyn Read,
    place: &str,
    artefact: &Artefact,
    staging: &Path,
    progress: &mut dyn Progress,
) -> Result<SpooledArchive, FetchError> {
    if artefact.size > ARCHIVE_LIMIT {
        return Err(FetchError::TooLarge {
            what: artefact.name.clone(),
            limit: ARCHIVE_LIMIT,
        });
    }
    prepare_staging(staging)?;
    let write_failed = |source| FetchError::of_write(staging, artefact.size, source);
    let file = tempfile::tempfile_in(staging).map_err(write_failed)?;
    let mut spooled = HashingWriter::new(file);
    let mut buffer = vec![0; BUFFER];
    let mut capped = from.take(artefact.size + 1);
    loop {
        let count = match capped.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => {
                return Err(FetchError::Unreachable {
                    url: place.into(),
                    source: Box::new(source),
                });
            }
        };
        spooled
            .write_all(buffer.get(..count).unwrap_or_default())
            .map_err(write_failed)?;
        progress.advanced(spooled.size().min(artefact.size), artefact.size);
    }
    let (file, measured) = spooled.finish();
    if measured.size != artefact.size {
        return Err(FetchError::Size {
            name: artefact.name.clone(),
            found: measured.size,
            signed: artefact.size,
        });
    }
    if measured.digest != artefact.digest {
        return Err(FetchError::Digest {
            name: artefact.name.clone(),
            found: measured.digest,
            signed: artefact.digest,
        });
    }
    Ok(SpooledArchive {
        file,
        artefact: artefact.clone(),
    })
}

/// Makes the staging folder, or sees that it is ours alone.
fn prepare_staging(staging: &Path) -> Result<(), FetchError> {
    match DirBuilder::new().mode(0o700).create(staging) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(FetchError::of_write(staging, 0, error));
        }
        _ => {}
    }
    let unsafe_because = |why: String| FetchError::Staging {
        path: staging.into(),
        why,
    };
    let found = fs_err::symlink_metadata(staging)
        .map_err(|source| FetchError::of_write(staging, 0, source))?;
    let me = rustix::process::geteuid().as_raw();
    if !found.is_dir() {
        return Err(unsafe_because("it is not a folder".into()));
    }
    if found.uid() != me {
        return Err(unsafe_because(format!("it belongs to uid {}", found.uid())));
    }
    if found.mode() & 0o077 != 0 {
        return Err(unsafe_because(format!(
            "its mode is {:04o}",
            found.mode() & 0o7777
        )));
    }
    Ok(())
}
