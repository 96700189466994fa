//! What a client would not take.

use std::path::PathBuf;

use banger_installer_fetch::{FetchError, UnpackError};
use banger_installer_host::{Hint, error_kind::ErrorKind};
use banger_installer_trust::{KeyringError, ListRefusal, VerifyError};
use banger_product::hint_text;

use crate::ReleaseError;

/// A published folder that is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file is missing or cannot be read.
    #[error(transparent)]
    File(#[from] ReleaseError),
    /// A file that a client asks for first.
    #[error("there is no {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The keys that were given.
    #[error("the given keys make no client")]
    Keyring(#[source] KeyringError),
    /// The list of keys.
    #[error("a client refuses keys.json")]
    List(#[source] ListRefusal),
    /// A manifest.
    #[error("a client refuses {name}")]
    Manifest {
        /// The file.
        name: String,
        /// Why.
        source: Box<VerifyError>,
    },
    /// The manifest of an older release.
    #[error("a client that asks for an older release refuses {name}")]
    Older {
        /// The file.
        name: String,
        /// Why.
        source: Box<VerifyError>,
    },
    /// A file that is not there, or not what was signed.
    #[error("a client cannot fetch the release")]
    Fetch(#[source] FetchError),
    /// An archive that is no release.
    #[error("a client cannot unpack {name}")]
    Unpack {
        /// The file.
        name: String,
        /// Why.
        source: UnpackError,
    },
    /// A bundle that does not say what it consists of.
    #[error("{name} has no list of what belongs in it")]
    NoList {
        /// The file.
        name: String,
    },
    /// Size or digest are not those that were signed.
    #[error("{name} is not what its manifest says")]
    OtherBytes {
        /// The file.
        name: String,
    },
    /// An artefact that does not lie in the folder.
    #[error("{name} lies at {url}, and not beside its manifest")]
    Elsewhere {
        /// The artefact.
        name: String,
        /// Where it is said to lie.
        url: String,
    },
    /// The newest manifest is not the one of its version.
    #[error("manifest.json and {name} differ")]
    NotTheNewest {
        /// The other file.
        name: String,
    },
    /// A line of the sums that sha256sum would not take.
    #[error("{} holds the line {line:?}, which is no sum", path.display())]
    NotASum {
        /// The sums.
        path: PathBuf,
        /// The line.
        line: String,
    },
    /// A file of a release that is not summed.
    #[error("SHA256SUMS does not name {name}")]
    NoSum {
        /// The file.
        name: String,
    },
    /// A file that the sums deny.
    #[error("{name} is not what SHA256SUMS says")]
    OtherSum {
        /// The file.
        name: String,
    },
}

/// A hint of the toolkit's, as banger says it.
fn said(hint: Option<Hint>) -> Option<String> {
    hint.map(|hint| hint_text(&hint))
}

impl CheckError {
    /// What to type.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(cause) => cause.hint(),
            Self::Keyring(_) => Some("add --key FILE, or --root FILE".into()),
            Self::List(cause) => said(cause.hint()),
            Self::Manifest { source, .. } => said(source.hint()),
            Self::Older { name, .. } => Some(format!(
                "sign that version anew, with a higher --sequence, or take {name} and \
                 {name}.minisig away; then publish again"
            )),
            Self::Fetch(cause) => said(cause.hint()),
            Self::Unpack { source, .. } => said(source.hint()),
            _ => Some("publish the release again: banger-release publish".into()),
        }
    }

    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } => ErrorKind::BadInput,
            Self::File(cause) => cause.kind(),
            Self::Keyring(cause) => cause.kind(),
            Self::Fetch(cause) => cause.kind(),
            Self::Unpack { source, .. } => source.kind(),
            _ => ErrorKind::Refused,
        }
    }
}
