//! Takes exactly the expected files out of a verified archive.
//!
//! Guarantees: one gzip member that holds one tar archive and nothing after either; regular files
//! only (type `0`, so no links, devices, FIFOs, folders, sparse files, pax or GNU long names); each
//! expected name once and no other; sizes within caps before a byte is written. Modes are ours, the
//! archive's owner and mode count for nothing. Files appear beneath a new folder, opened
//! `O_EXCL | O_NOFOLLOW` from held descriptors, and are synced before success is reported; on an
//! error the new folder is gone again.

mod destination;
mod reader;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use self::destination::Destination;
use super::error::disk_full_hint;
use crate::error_kind::ErrorKind;
use banger_installer_host::{Digest, Hint, Product, ReleaseList, ReleaseListError, Version};

/// No file in an archive is larger, in bytes.
const ENTRY_LIMIT: u64 = 256 * 1024 * 1024;
/// No archive unpacks to more, in bytes, headers and padding included.
const TOTAL_LIMIT: u64 = 640 * 1024 * 1024;

/// A file that an archive must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedEntry {
    /// `FOLDER/NAME`, as the archive spells it.
    pub path: String,
    /// The permission bits that it gets.
    pub mode: u32,
    /// What its bytes must hash to, where that is known.
    pub digest: Option<Digest>,
}

/// All that an archive must hold, no more and no less; with the caps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedEntries {
    entries: Vec<ExpectedEntry>,
    /// The release whose own list says it; the entries count where an archive has none.
    listed: Option<(String, Version)>,
    entry_limit: u64,
    total_limit: u64,
}

impl ExpectedEntries {
    /// `bin/NAME` (0755) for each program, `units/NAME.in` (0644) for each unit.
    pub fn of<'a>(
        programs: impl IntoIterator<Item = &'a str>,
        units: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let program = |name: &str| ExpectedEntry {
            path: format!("bin/{name}"),
            mode: 0o755,
            digest: None,
        };
        let unit = |name: &str| ExpectedEntry {
            path: format!("units/{name}.in"),
            mode: 0o644,
            digest: None,
        };
        let mut entries: Vec<_> = programs.into_iter().map(program).collect();
        entries.extend(units.into_iter().map(unit));
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Self {
            entries,
            listed: None,
            entry_limit: ENTRY_LIMIT,
            total_limit: TOTAL_LIMIT,
        }
    }

    /// What a release of a product holds.
    pub fn of_product(product: &Product) -> Self {
        Self::of(
            product.programs.iter().map(|program| program.name.as_str()),
            product.units.iter().map(|unit| unit.name.as_str()),
        )
    }

    /// The same, or what the archive's own list says, where it begins with that of this release.
    #[must_use]
    pub fn or_listed(mut self, product: &str, version: &Version) -> Self {
        self.listed = Some((product.into(), version.clone()));
        self
    }

    /// With other caps, in bytes.
    #[must_use]
    pub fn with_limits(mut self, entry: u64, total: u64) -> Self {
        self.entry_limit = entry;
        self.total_limit = total;
        self
    }

    /// The files, in the order of their names.
    pub fn entries(&self) -> &[ExpectedEntry] {
        &self.entries
    }
}

/// An archive that is refused, or that the disk has no space for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// Not gzip, not tar, or cut short.
    #[error("the archive is damaged")]
    Archive(#[source] io::Error),
    /// Bytes after the end.
    #[error("the archive goes on after its end ({place})")]
    Trailing {
        /// After which end.
        place: &'static str,
    },
    /// A name that does not belong.
    #[error("the archive holds {name:?}, which does not belong in a release")]
    Unexpected {
        /// The name as it stands in the archive.
        name: String,
    },
    /// A name that stands twice.
    #[error("the archive holds {name:?} twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// Names that are not there.
    #[error("the archive lacks {}", names.join(", "))]
    Missing {
        /// The names.
        names: Vec<String>,
    },
    /// A link, folder, device, FIFO or an extension header.
    #[error("{name:?} in the archive is no regular file but {kind}")]
    Kind {
        /// The name.
        name: String,
        /// What it is.
        kind: String,
    },
    /// A bit that would give rights away.
    #[error("{name:?} in the archive carries a setuid, setgid or sticky bit (mode {mode:o})")]
    SpecialBits {
        /// The name.
        name: String,
        /// Its mode in the archive.
        mode: u32,
    },
    /// More than a file of a release ever has.
    #[error("{name:?} in the archive has {size} bytes; the cap is {limit}")]
    EntryTooLarge {
        /// The name.
        name: String,
        /// Its size as the archive says.
        size: u64,
        /// The cap.
        limit: u64,
    },
    /// More than a release ever has.
    #[error("the archive unpacks to more than {limit} bytes")]
    Expansion {
        /// The cap.
        limit: u64,
    },
    /// A list that cannot be followed.
    #[error("the archive's list of files cannot be followed")]
    List(#[source] ReleaseListError),
    /// A file that is not the listed one.
    #[error("{name:?} in the archive is not the file that its list names")]
    Digest {
        /// The name.
        name: String,
    },
    /// No room.
    #[error("no space for {needed} bytes in {}", path.display())]
    DiskFull {
        /// The folder.
        path: PathBuf,
        /// Bytes that had to fit.
        needed: u64,
    },
    /// The destination cannot be written.
    #[error("cannot unpack to {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl UnpackError {
    /// What to type.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::DiskFull { path, .. } => Some(disk_full_hint(path)),
            Self::Write { .. } => None,
            _ => Some(
                "the publisher signed an archive that is no release: tell them, do not use it"
                    .into(),
            ),
        }
    }

    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DiskFull { .. } => ErrorKind::HostLacks,
            Self::Write { .. } => ErrorKind::Other,
            _ => ErrorKind::Refused,
        }
    }
}

/// Unpacks a verified archive into `destination`, which must not exist; its parent must.
pub(super) fn unpack(
    archive: File,
    expected: &ExpectedEntries,
    destination: &Path,
) -> Result<Option<ReleaseList>, UnpackError> {
    let destination = Destination::create(destination)?;
    let outcome = reader::read(archive, expected, &destination).and_then(|list| {
        destination.publish()?;
        Ok(list)
    });
    if outcome.is_err() {
        destination.discard();
    }
    outcome
}
