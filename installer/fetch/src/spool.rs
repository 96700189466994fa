//! From a stream of bytes to a file without a name, hashed on the way.
//!
//! Guarantees: at most one byte more than was signed is taken from the stream; the file never has a
//! name that another process could open; a [`SpooledArchive`] exists only when size and SHA-256 of
//! what lies in the file are the signed ones.

use std::fs::{DirBuilder, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use super::transport::Incoming;
use super::{ARCHIVE_LIMIT, ExpectedEntries, FetchError, UnpackError, unpack};
use banger_installer_host::ReleaseList;

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
    place: String,
}

impl SpooledArchive {
    /// What was fetched.
    pub fn artefact(&self) -> &Artefact {
        &self.artefact
    }

    /// Where its last byte came from: a URL or a path.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Unpacks it into `destination`, which must not exist; its parent must. Gives the archive's own
    /// list, when it has one.
    ///
    /// # Errors
    /// [`UnpackError`]; what had been written beneath `destination` is gone then.
    pub fn unpack(
        mut self,
        expected: &ExpectedEntries,
        destination: &Path,
    ) -> Result<Option<ReleaseList>, UnpackError> {
        self.file
            .seek(SeekFrom::Start(0))
            .map_err(UnpackError::Archive)?;
        unpack::unpack(self.file, expected, destination)
    }
}

/// An archive on its way into a file without a name.
#[derive(Debug)]
pub(super) struct Spool<'a> {
    file: File,
    /// Takes the bytes a second time: what is thrown away leaves its digest, too.
    hashed: HashingWriter<io::Sink>,
    artefact: &'a Artefact,
    staging: &'a Path,
    buffer: Vec<u8>,
    /// How many answers the bytes were put together from.
    pieces: u32,
}

impl<'a> Spool<'a> {
    /// An empty one, in a folder that is ours alone.
    pub(super) fn begin(artefact: &'a Artefact, staging: &'a Path) -> Result<Self, FetchError> {
        if artefact.size > ARCHIVE_LIMIT {
            return Err(FetchError::TooLarge {
                what: artefact.name.clone(),
                limit: ARCHIVE_LIMIT,
            });
        }
        prepare_staging(staging)?;
        let file = tempfile::tempfile_in(staging)
            .map_err(|source| FetchError::of_write(staging, artefact.size, source))?;
        Ok(Self {
            file,
            hashed: HashingWriter::new(io::sink()),
            artefact,
            staging,
            buffer: vec![0; BUFFER],
            pieces: 0,
        })
    }

    /// Bytes that are here.
    pub(super) fn size(&self) -> u64 {
        self.hashed.size()
    }

    /// Whether the bytes came in more than one piece, so that each may be right and the whole wrong.
    pub(super) const fn is_joined(&self) -> bool {
        self.pieces > 1
    }

    /// Throws away what is here.
    pub(super) fn clear(&mut self) -> Result<(), FetchError> {
        self.hashed = HashingWriter::new(io::sink());
        self.pieces = 0;
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map(drop)
            .map_err(|source| FetchError::of_write(self.staging, self.artefact.size, source))
    }

    /// Takes what comes to its end, but no more than one byte beyond the signed size.
    pub(super) fn take(
        &mut self,
        from: &mut dyn Incoming,
        progress: &mut dyn Progress,
    ) -> Result<(), FetchError> {
        let signed = self.artefact.size;
        let mut counted = false;
        while self.size() <= signed {
            let room = usize::try_from(signed + 1 - self.size()).unwrap_or(BUFFER);
            let room = self.buffer.get_mut(..room.min(BUFFER)).unwrap_or_default();
            let count = match from.next(room) {
                Ok(0) => break,
                Ok(count) => count,
                // all that was signed is here: how the connection ends does not matter any more
                Err(_) if self.size() == signed => break,
                Err(error) => return Err(error),
            };
            self.pieces += u32::from(!std::mem::replace(&mut counted, true));
            let bytes = self.buffer.get(..count).unwrap_or_default();
            self.file
                .write_all(bytes)
                .and_then(|()| self.hashed.write_all(bytes))
                .map_err(|source| FetchError::of_write(self.staging, signed, source))?;
            progress.advanced(self.size().min(signed), signed);
        }
        Ok(())
    }

    /// Holds size and digest against what was signed.
    pub(super) fn check(&self) -> Result<(), FetchError> {
        let artefact = self.artefact;
        let (_, measured) = self.hashed.clone().finish();
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
        Ok(())
    }

    /// The archive, when it is what was signed.
    pub(super) fn finish(self, place: String) -> Result<SpooledArchive, FetchError> {
        self.check()?;
        Ok(SpooledArchive {
            file: self.file,
            artefact: self.artefact.clone(),
            place,
        })
    }
}

/// Makes the staging folder, or sees that it is ours alone. Others may pass through it, but neither
/// look nor write: a program in it is first run as nobody.
fn prepare_staging(staging: &Path) -> Result<(), FetchError> {
    match DirBuilder::new().mode(0o711).create(staging) {
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
    if found.mode() & 0o066 != 0 {
        return Err(unsafe_because(format!(
            "its mode is {:04o}",
            found.mode() & 0o7777
        )));
    }
    Ok(())
}
