use crate::ErrorKind;
use crate::effect::FilesError;
use crate::fetch::{ConfigError, FetchError, NoMirror, Unfit, UnpackError};
use crate::model::{Hint, Version};
use crate::toolkit::ToolkitError;
use crate::verify::{KeyringError, VerifyError};

/// Why there is no release to take.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The administrator's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No source, or one that cannot be used.
    #[error(transparent)]
    Sources(#[from] FetchError),
    /// The keys of this host.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// No source had a release that is to be believed.
    #[error(transparent)]
    NoRelease(#[from] NoMirror<Unfit>),
    /// No source had the archive.
    #[error(transparent)]
    NoArchive(#[from] NoMirror<FetchError>),
    /// The release cannot follow what is installed.
    #[error(transparent)]
    Upgrade(#[from] VerifyError),
    /// The archive is no release, or the disk has no space for it.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The staging folder.
    #[error(transparent)]
    Staging(#[from] FilesError),
    /// The decision was not to take it.
    #[error("{version} is not to be taken: see what was decided about it")]
    NotTaken {
        /// The release.
        version: Version,
    },
    /// What is installed, or what the host remembers.
    #[error(transparent)]
    Host(#[from] ToolkitError),
}

impl UpdateError {
    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        self.advice().0
    }

    /// What would help.
    pub fn hint(&self) -> Option<Hint> {
        self.advice().1
    }

    fn advice(&self) -> (ErrorKind, Option<Hint>) {
        match self {
            Self::Config(error) => (error.kind(), error.hint()),
            Self::Sources(error) => (error.kind(), error.hint()),
            Self::Keys(error) => (error.kind(), error.hint()),
            Self::NoRelease(error) => (error.kind(), error.hint()),
            Self::NoArchive(error) => (error.kind(), error.hint()),
            Self::Upgrade(error) => (error.kind(), error.hint()),
            Self::Unpack(error) => (error.kind(), error.hint()),
            Self::Staging(error) => (error.kind(), error.hint()),
            Self::Host(error) => (error.kind(), error.hint()),
            Self::NotTaken { .. } => (ErrorKind::Refused, None),
        }
    }
}
