//! Why a release is not published.

use std::path::PathBuf;

use banger_installer_host::{Version, error_kind::ErrorKind};
use banger_installer_trust::VerifyError;
use banger_installer_trust::model::{Digest, ManifestError};

/// A release that is not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A manifest that cannot be read.
    #[error("{} is no manifest", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ManifestError,
    },
    /// A manifest or list of keys without a signature.
    #[error("{} is not signed", path.display())]
    Unsigned {
        /// The file.
        path: PathBuf,
    },
    /// A line of the sums that sha256sum would not take.
    #[error("{} holds the line {line:?}, which is no sum", path.display())]
    Sums {
        /// The file.
        path: PathBuf,
        /// The line.
        line: String,
    },
    /// A file of the release is not what its manifest says.
    #[error("{name} has the digest {found}; the release says {said}")]
    Digest {
        /// The file.
        name: String,
        /// Of its bytes.
        found: Digest,
        /// Of the manifest, or of the sums.
        said: Digest,
    },
    /// Clients have seen a later one.
    #[error("the {what} has the sequence number {offered}; {published} is published")]
    LowerSequence {
        /// Manifest or list.
        what: &'static str,
        /// Of the release.
        offered: u64,
        /// Of what is there.
        published: u64,
    },
    /// Two manifests or lists with one number.
    #[error("another {what} with the sequence number {sequence} is published")]
    SameSequence {
        /// Manifest or list.
        what: &'static str,
        /// The number.
        sequence: u64,
    },
    /// A name means the same bytes for ever.
    #[error("{name} is published with other bytes")]
    OtherBytes {
        /// The file.
        name: String,
    },
    /// Something in the channel's folder that cannot be carried over.
    #[error("{} is neither file, folder nor link", path.display())]
    Strange {
        /// What it is.
        path: PathBuf,
    },
    /// The file system cannot exchange two folders.
    #[error("the file system of {} cannot exchange two folders in one step", path.display())]
    NoExchange {
        /// The channel's folder.
        path: PathBuf,
    },
    /// A channel without a release.
    #[error("no release is published in {}", path.display())]
    NothingPublished {
        /// The channel's folder.
        path: PathBuf,
    },
    /// A release with nothing to put in its place.
    #[error("{} has no release before {version}", path.display())]
    NothingBefore {
        /// The channel's folder.
        path: PathBuf,
        /// The release that is to be withdrawn.
        version: Version,
    },
    /// A release that is to be withdrawn and to come back.
    #[error("{version} is the release that would be withdrawn")]
    SameVersion {
        /// The version.
        version: Version,
    },
    /// The release that is to come back is not in the folder.
    #[error("the channel's folder has no {name}")]
    NotThere {
        /// The manifest.
        name: String,
    },
    /// The release that is to come back may be somebody else's.
    #[error("{} is not signed as a release that may come back", path.display())]
    NotBelieved {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: Box<VerifyError>,
    },
    /// Another publication is under way.
    #[error("somebody else publishes to {}", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
}

impl PublishError {
    /// What to type.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unsigned { .. } => {
                "sign it: banger-release build --key FILE, or key sign LIST --root-key FILE".into()
            }
            Self::Digest { .. } => "build the release again, into an empty folder".into(),
            Self::LowerSequence { .. } | Self::SameSequence { .. } => {
                "build it again with a higher --sequence (the default grows by itself)".into()
            }
            Self::OtherBytes { .. } => {
                "a version is published once; raise it, and publish that".into()
            }
            Self::NoExchange { .. } => {
                "publish to a folder on ext4, xfs, btrfs or tmpfs, and copy it from there".into()
            }
            Self::NothingPublished { .. } => {
                "give the folder that is served, and a channel that has a folder in it".into()
            }
            Self::NothingBefore { .. } => {
                "publish a fixed release under a higher version, or put the files of an older one \
                 back into the folder"
                    .into()
            }
            Self::SameVersion { .. } => "give another version to --instead".into(),
            Self::NotThere { .. } => "give a version to --instead that is in the folder".into(),
            Self::NotBelieved { .. } => {
                "if a key that is no longer used signed it, add --signed-by PUB; else publish it \
                 again from its own folder"
                    .into()
            }
            Self::Locked { .. } => "wait for its end, and type this again".into(),
            _ => return None,
        })
    }

    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Locked { .. } => ErrorKind::Locked,
            Self::NoExchange { .. } => ErrorKind::HostLacks,
            Self::Strange { .. } | Self::OtherBytes { .. } => ErrorKind::InTheWay,
            Self::LowerSequence { .. } | Self::SameSequence { .. } | Self::NotBelieved { .. } => {
                ErrorKind::Refused
            }
            _ => ErrorKind::BadInput,
        }
    }
}
