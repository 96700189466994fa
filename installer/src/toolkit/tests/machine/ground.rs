//! The machine's disk, as its own programs use it: without the toolkit, and without syncing.

use std::io;
use std::path::Path;

use crate::effect::{Disk, Files, FilesError, sync_enablement};

/// A disk that more than the toolkit uses.
pub(super) trait Ground: Files {
    /// What stands in a file, links followed.
    fn text(&self, path: &Path) -> Option<String>;
    /// What systemd does when it enables a unit, and what the toolkit does after it.
    fn enable(&self, units: &Path, unit: &str) -> Result<(), FilesError>;
    /// What systemd does when it disables a unit, and what the toolkit does after it.
    fn disable(&self, units: &Path, unit: &str) -> Result<(), FilesError>;
}

/// The folder of the links to what starts at boot.
pub(super) const WANTS: &str = "multi-user.target.wants";

fn unless(error: io::ErrorKind, result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(found) if found.kind() == error => Ok(()),
        other => other,
    }
}

impl<D: Disk> Ground for D {
    fn text(&self, path: &Path) -> Option<String> {
        String::from_utf8(self.read(path).ok()?).ok()
    }

    fn enable(&self, units: &Path, unit: &str) -> Result<(), FilesError> {
        let folder = units.join(WANTS);
        let exists = io::ErrorKind::AlreadyExists;
        unless(exists, self.make_folder(&folder))
            .and_then(|()| {
                let link = folder.join(unit);
                unless(exists, self.make_link(&units.join(unit), &link))
            })
            .map_err(failed(&folder))?;
        sync_enablement(self, units)
    }

    fn disable(&self, units: &Path, unit: &str) -> Result<(), FilesError> {
        let folder = units.join(WANTS);
        let gone = io::ErrorKind::NotFound;
        unless(gone, self.unlink(&folder.join(unit)))
            .and_then(|()| {
                let removed = unless(gone, self.remove_folder(&folder));
                unless(io::ErrorKind::DirectoryNotEmpty, removed)
            })
            .map_err(failed(&folder))?;
        sync_enablement(self, units)
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    |source| FilesError {
        what: "link",
        path: path.into(),
        source,
    }
}
