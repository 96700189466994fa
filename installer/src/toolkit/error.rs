use std::path::PathBuf;

use banger_installer_host::Hint;

use crate::ErrorKind;
use crate::effect::systemd::SystemdError;
use crate::effect::{BoxError, FilesError, HandoverError, LockError};
use crate::engine::RunError;
use crate::journal::JournalError;
use crate::model::{AntiRollbackError, ReleaseListError, Requirement, UnitName, Version};
use crate::observe::ObserveError;
use crate::plan::{Obstacle, Operation};
use crate::step::StepError;
use crate::unit::RenderError;

use super::KeeperError;

/// A request that was not fulfilled. All but a [`RunError::RollbackFailed`] and a
/// [`RunError::CommitUnknown`] leave the host as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolkitError {
    /// Another operation, or no lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The record of an interrupted operation.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The host cannot be read.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// A file.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// systemd.
    #[error(transparent)]
    Systemd(#[from] SystemdError),
    /// The operation failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The release's own program was not called, or made no plan that can be followed.
    #[error("the release cannot be taken; nothing was changed")]
    Handover(#[from] HandoverError),
    /// The release's own program does not say the version of the release.
    #[error("the release cannot be taken; nothing was changed")]
    Program(#[source] Box<StepError>),
    /// The release's programs understand another handover than this one.
    #[error("{version} cannot be taken by this version's update")]
    LaterHandover {
        /// The release.
        version: Version,
    },
    /// Only another program can read the journal of an interrupted operation, and it did not recover
    /// it.
    #[error("{journal}")]
    Unrecovered {
        /// The journal.
        journal: Box<JournalError>,
        /// What became of the program that can read it.
        #[source]
        keeper: Box<KeeperError>,
    },
    /// A version cannot read the state that lies on the host.
    #[error("{version} cannot read the state of {unit} (schema {found}; it reads up to {reads})")]
    State {
        /// The version.
        version: Version,
        /// The service that keeps the state.
        unit: UnitName,
        /// The schema of the state.
        found: u32,
        /// The highest one that the version reads.
        reads: u32,
    },
    /// A version gives no answer to what it will do to the state.
    #[error("{version} does not say whether it can read the state of {unit}")]
    StateUnknown {
        /// The version.
        version: Version,
        /// The service that keeps the state.
        unit: UnitName,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// The product names no program that plans for itself.
    #[error("the product names no program that makes a plan")]
    NoDelegate,
    /// The host lacks what the product needs.
    #[error("this machine has no {} ({})", .0.what, .0.path.display())]
    Requirement(Requirement),
    /// There is no receipt.
    #[error("{product} is not installed")]
    NotInstalled {
        /// The product.
        product: String,
    },
    /// The version before is not there.
    #[error("there is no version before {version} to go back to")]
    NothingBefore {
        /// The version in use.
        version: Version,
    },
    /// A dry run cannot tell what would be done.
    #[error("an interrupted {operation} was found; a dry run takes nothing back")]
    Interrupted {
        /// What was interrupted.
        operation: Operation,
    },
    /// Something that is not ours to remove.
    #[error("{0}; nothing was changed")]
    InTheWay(Box<Obstacle>),
    /// Protected processes would not.
    #[error("still running: {}", crate::plan::listed(names))]
    GuestsInTheWay {
        /// Their names.
        names: Vec<String>,
    },
    /// There is no release where one had to be: an installed version's folder is gone.
    #[error("there is no release in {}", folder.display())]
    NoRelease {
        /// The product.
        product: String,
        /// Where it had to be.
        folder: PathBuf,
    },
    /// The record of releases that were seen cannot be read.
    #[error("{} cannot be relied on", path.display())]
    AntiRollbackState {
        /// Where it lies.
        path: PathBuf,
        /// Why not.
        source: AntiRollbackError,
    },
    /// Something else stands where the record of releases belongs.
    #[error("{} is not a file", path.display())]
    NoRecord {
        /// Where it belongs.
        path: PathBuf,
    },
    /// The list of what belongs in a release cannot be followed.
    #[error("{} cannot be followed", path.display())]
    List {
        /// Where it lies.
        path: PathBuf,
        /// Why not.
        #[source]
        source: ReleaseListError,
    },
    /// The release lacks a unit template.
    #[error("the release has no unit template {}", path.display())]
    NoTemplate {
        /// Where it had to be.
        path: PathBuf,
    },
    /// A unit template cannot be filled.
    #[error("{unit} cannot be written")]
    Template {
        /// The unit.
        unit: UnitName,
        /// Why.
        #[source]
        source: RenderError,
    },
}

impl ToolkitError {
    /// What the user can type.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Lock(error) => error.hint(),
            Self::Journal(error) => error.hint(),
            Self::Observe(error) => error.hint(),
            Self::Files(error) => error.hint(),
            Self::Systemd(error) => error.hint(),
            Self::Run(error) => error.hint(),
            Self::Requirement(requirement) => Some(Hint::Text(requirement.hint.clone())),
            Self::NotInstalled { .. } => Some(Hint::Install),
            Self::NothingBefore { .. } => {
                Some("each update keeps the version before it, and a rollback uses it up".into())
            }
            Self::Interrupted { .. } => {
                Some("run any command that changes something: it takes that back first".into())
            }
            Self::GuestsInTheWay { .. } => Some(Hint::StopFirst),
            Self::NoRelease { .. } => Some(Hint::InstallAgain),
            Self::InTheWay(obstacle) => Some(obstacle.hint()),
            Self::AntiRollbackState { path, .. } | Self::NoRecord { path } => {
                let path = path.display();
                Some(Hint::Text(format!(
                    "nothing was changed; it keeps old releases out. To begin a new one: \
                     sudo mv {path} {path}.damaged"
                )))
            }
            Self::LaterHandover { .. } => Some(Hint::InstallByHand),
            Self::Program(error) => error.hint(),
            Self::State { .. } => Some(
                "nothing was changed; a later version wrote it: stay with that, or take a newer one"
                    .into(),
            ),
            Self::StateUnknown { .. } => {
                Some("nothing was changed; tell the publisher; what is installed goes on".into())
            }
            Self::Unrecovered { journal, keeper } => keeper.hint().or_else(|| journal.hint()),
            Self::Handover(_) => Some("tell the publisher; what is installed goes on".into()),
            Self::NoDelegate
            | Self::List { .. }
            | Self::NoTemplate { .. }
            | Self::Template { .. } => None,
        }
    }

    /// Which kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Lock(error) => error.kind(),
            Self::Journal(error) => error.kind(),
            Self::Observe(error) => error.kind(),
            Self::Files(error) => error.kind(),
            Self::Systemd(error) => error.kind(),
            Self::Run(error) => error.kind(),
            Self::Unrecovered { journal, .. } => journal.kind(),
            Self::Requirement(_) => ErrorKind::HostLacks,
            Self::Interrupted { .. } | Self::NoDelegate => ErrorKind::Other,
            Self::NotInstalled { .. } | Self::NoRelease { .. } => ErrorKind::NotInstalled,
            Self::InTheWay(_) => ErrorKind::InTheWay,
            Self::GuestsInTheWay { .. } => ErrorKind::GuestsInTheWay,
            Self::AntiRollbackState { .. } | Self::NoRecord { .. } => ErrorKind::Damaged,
            Self::Handover(_)
            | Self::Program(_)
            | Self::State { .. }
            | Self::StateUnknown { .. }
            | Self::LaterHandover { .. }
            | Self::List { .. }
            | Self::NoTemplate { .. } => ErrorKind::Refused,
            Self::Template { .. } | Self::NothingBefore { .. } => ErrorKind::BadInput,
        }
    }
}
