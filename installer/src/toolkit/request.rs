use std::path::PathBuf;

use jiff::Timestamp;

use super::ReleaseInfo;
use crate::model::{InstallMethod, Owner, Version};
use crate::plan::Purge;
use crate::unit;

/// A release as it lies in a folder: `bin/PROGRAM` and `units/NAME.in`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReleaseFolder {
    /// The folder. One beneath `Layout::staging` is moved to its place, any other is copied.
    pub path: PathBuf,
    /// Its version; each program must say the same.
    pub version: Version,
}

impl ReleaseFolder {
    /// A release in a folder.
    pub fn new(path: impl Into<PathBuf>, version: Version) -> Self {
        Self {
            path: path.into(),
            version,
        }
    }
}

/// What to install.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InstallRequest {
    /// For whom.
    pub owner: Owner,
    /// What.
    pub release: ReleaseFolder,
    /// What the unit templates are filled with.
    pub values: unit::Values,
    /// The channel that updates are to come from; none to keep what is there, which is `stable` at
    /// first.
    pub channel: Option<String>,
    /// Whether unattended updates are to be made; none to keep what is there, which is no at
    /// first.
    pub auto_update: Option<bool>,
    /// How it is installed. Counts at the first install only.
    pub method: InstallMethod,
    /// End protected processes that would be killed and cannot be moved, instead of refusing.
    pub stop_guests: bool,
}

impl InstallRequest {
    /// An install by the product's own command; everything else stays as it is, or begins as usual.
    pub const fn new(owner: Owner, release: ReleaseFolder, values: unit::Values) -> Self {
        Self {
            owner,
            release,
            values,
            channel: None,
            auto_update: None,
            method: InstallMethod::SelfInstalled,
            stop_guests: false,
        }
    }

    /// Whether to end protected processes that would be killed and cannot be moved, instead of refusing.
    #[must_use]
    pub const fn stop_guests(mut self, stop_guests: bool) -> Self {
        self.stop_guests = stop_guests;
        self
    }
}

/// What to update to: a release that was verified, by this program or by the one that called it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpdateRequest {
    /// What.
    pub(crate) release: ReleaseFolder,
    /// What the unit templates are filled with.
    pub(crate) values: unit::Values,
    /// The channel that it is from, and that later ones are to come from.
    pub(crate) channel: String,
    /// The sequence number of the manifest.
    pub(crate) sequence: u64,
    /// When the manifest was signed.
    pub(crate) released: Timestamp,
    /// End protected processes that would be killed and cannot be moved, instead of refusing.
    pub(crate) stop_guests: bool,
}

impl UpdateRequest {
    pub(crate) fn of(
        release: ReleaseFolder,
        info: &ReleaseInfo,
        values: unit::Values,
        stop_guests: bool,
    ) -> Self {
        Self {
            release,
            values,
            channel: info.channel.clone(),
            sequence: info.sequence,
            released: info.released,
            stop_guests,
        }
    }

    /// For tests of the engine alone: a release that nobody has verified, in a folder that is root's.
    #[doc(hidden)]
    pub fn unverified(release: ReleaseFolder, values: unit::Values, stop_guests: bool) -> Self {
        Self {
            release,
            values,
            channel: "stable".into(),
            sequence: 1,
            released: Timestamp::UNIX_EPOCH,
            stop_guests,
        }
    }
}

/// A way back to the version before.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RollbackRequest {
    /// What the unit templates are filled with.
    pub values: unit::Values,
    /// Why, in a person's words, for the receipt; none when a person asks for it.
    pub why: Option<String>,
    /// End protected processes that would be killed and cannot be moved, instead of refusing.
    pub stop_guests: bool,
}

impl RollbackRequest {
    /// A rollback that a person asks for.
    pub const fn new(values: unit::Values) -> Self {
        Self {
            values,
            why: None,
            stop_guests: false,
        }
    }

    /// Whether to end protected processes that would be killed and cannot be moved, instead of refusing.
    #[must_use]
    pub const fn stop_guests(mut self, stop_guests: bool) -> Self {
        self.stop_guests = stop_guests;
        self
    }
}

/// A restart of the services.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RestartRequest {
    /// What the unit templates are filled with.
    pub values: unit::Values,
    /// End protected processes that would be killed and cannot be moved, instead of refusing.
    pub stop_guests: bool,
}

impl RestartRequest {
    /// A restart that ends no protected process.
    pub const fn new(values: unit::Values) -> Self {
        Self {
            values,
            stop_guests: false,
        }
    }

    /// Whether to end protected processes that would be killed and cannot be moved, instead of refusing.
    #[must_use]
    pub const fn stop_guests(mut self, stop_guests: bool) -> Self {
        self.stop_guests = stop_guests;
        self
    }
}

/// A removal.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct UninstallRequest {
    /// Whether state goes, too.
    pub purge: Purge,
    /// End protected processes that run, instead of refusing.
    pub stop_guests: bool,
}

impl UninstallRequest {
    /// A removal that is refused while protected processes run.
    pub const fn new(purge: Purge) -> Self {
        Self {
            purge,
            stop_guests: false,
        }
    }

    /// Whether to end protected processes that are running, instead of refusing.
    #[must_use]
    pub const fn stop_guests(mut self, stop_guests: bool) -> Self {
        self.stop_guests = stop_guests;
        self
    }
}
