//! A verified release on this host's disk.

use std::path::{Path, PathBuf};

use crate::effect::Files;
use crate::model::ReleaseList;
use crate::toolkit::{ReleaseFolder, ReleaseInfo};

/// A release that was verified and unpacked. Made by [`super::Candidate::download`] alone; what lies in
/// the staging folder goes with it, since a release that is refused or fails is not kept.
pub struct Staged<'a> {
    pub(super) _staging: Staging<'a>,
    pub(crate) release: ReleaseFolder,
    pub(crate) info: ReleaseInfo,
    /// What it says that it consists of, where its own program makes the plan.
    pub(crate) list: Option<ReleaseList>,
    pub(super) size: u64,
    pub(super) place: String,
}

impl Staged<'_> {
    /// What its signed manifest says of it.
    pub const fn info(&self) -> &ReleaseInfo {
        &self.info
    }

    /// The size of its archive, in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Where the last byte of its archive came from: a URL or a path.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether its own program makes the plan and carries it out
    /// ([`Planner::hand_over`](crate::toolkit::Planner::hand_over)): it says what it consists of, and the
    /// product names a program for that. Any other is planned by this program
    /// ([`Planner::plan`](crate::toolkit::Planner::plan)).
    pub const fn plans_for_itself(&self) -> bool {
        self.list.is_some()
    }
}

/// The staging folder, which is removed with the value.
pub(super) struct Staging<'a> {
    files: &'a dyn Files,
    path: PathBuf,
}

impl<'a> Staging<'a> {
    pub(super) fn new(files: &'a dyn Files, path: PathBuf) -> Self {
        Self { files, path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        // the next operation sweeps it, too
        let _ = self.files.remove(&self.path);
    }
}
