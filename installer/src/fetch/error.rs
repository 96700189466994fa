//! What can go wrong between a source and the staging folder.

use std::io;
use std::path::{Path, PathBuf};

use crate::error_kind::ErrorKind;
use crate::model::Digest;

/// A release that could not be brought here.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody said where releases come from.
    #[error("no release source is configured")]
    NoSource,
    /// The text given as a source is none.
    #[error("{text:?} is not a release source: {why}")]
    BadSource {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The server cannot be reached, or broke off.
    #[error("cannot fetch {url}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server has no such file.
    #[error("{url} does not exist on the server")]
    NotFound {
        /// What was asked for.
        url: String,
    },
    /// The server's certificate is not to be trusted, or there is nothing to check it with.
    #[error("the TLS connection for {url} was refused")]
    Tls {
        /// What was asked for.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server wants to send us to a place without TLS.
    #[error("{url} leads to {to}, which is not https")]
    LeavesTls {
        /// What was asked for.
        url: String,
        /// Where it leads.
        to: String,
    },
    /// The server sends us from place to place.
    #[error("{url} redirects more often than is allowed")]
    TooManyRedirects {
        /// What was asked for.
        url: String,
    },
    /// More bytes than may be.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        what: String,
        /// The cap, in bytes.
        limit: u64,
    },
    /// A manifest without a signature beside it.
    #[error("the release is not signed: {place} does not exist")]
    NoSignature {
        /// Where the signature should be.
        place: String,
    },
    /// The signature file is not even text.
    #[error("{what} is not text")]
    NotText {
        /// The file.
        what: String,
    },
    /// A file of a local source cannot be read.
    #[error("cannot read {}", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The archive that the user named is not the one in the manifest.
    #[error(
        "{asked} is not the archive for this machine that the manifest beside it names: {named}"
    )]
    OtherArchive {
        /// What the user named.
        asked: String,
        /// What the manifest names.
        named: String,
    },
    /// The verified manifest has nothing for the target, or the update library disagrees.
    #[error("the manifest names no archive for {target}")]
    NoArchive {
        /// The target triple.
        target: String,
    },
    /// Too few or too many bytes.
    #[error("{name} has {found} bytes; {signed} were signed")]
    Size {
        /// The archive.
        name: String,
        /// Bytes seen; when there were too many, how many were read before the end was called.
        found: u64,
        /// The signed size.
        signed: u64,
    },
    /// The right number of bytes, but others.
    #[error("{name} was changed: its digest is {found}, {signed} was signed")]
    Digest {
        /// The archive.
        name: String,
        /// What came.
        found: Digest,
        /// What was signed.
        signed: Digest,
    },
    /// Others can reach into the staging folder.
    #[error("the staging folder {} is not private: {why}", path.display())]
    Staging {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No room.
    #[error("no room for {needed} bytes in {}", path.display())]
    DiskFull {
        /// The folder.
        path: PathBuf,
        /// Bytes that had to fit.
        needed: u64,
    },
    /// The staging folder cannot be written.
    #[error("cannot write in {}", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl FetchError {
    /// What to type.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSource => Some(
                "name one in /etc/banger/config.toml:\n    [update]\n    \
                 source = \"https://example.org/banger/stable\"\n\
                 or for this once: sudo banger update --from DIR-OR-FILE-OR-URL"
                    .into(),
            ),
            Self::BadSource { .. } => Some(
                "a source is an https URL, a folder, or an archive or manifest.json in one".into(),
            ),
            Self::Unreachable { url, .. } | Self::NotFound { url } => Some(format!(
                "try: curl -sSI {url}; without a network: sudo banger update --from DIR-OR-FILE"
            )),
            Self::Tls { .. } => Some(
                "the certificate must come from an authority that this machine trusts; \
                 on Debian: sudo apt-get install ca-certificates"
                    .into(),
            ),
            Self::LeavesTls { .. } | Self::TooManyRedirects { .. } => {
                Some("the server is set up wrongly, or someone stands in between".into())
            }
            Self::Size { .. }
            | Self::Digest { .. }
            | Self::TooLarge { .. }
            | Self::NotText { .. } => {
                Some("fetch it again; if it stays so, do not use this source".into())
            }
            Self::OtherArchive { named, .. } => {
                Some(format!("name {named}, or the folder, after --from"))
            }
            Self::Staging { path, .. } => Some(format!(
                "sudo chown root:root {0} && sudo chmod 0700 {0}",
                path.display()
            )),
            Self::DiskFull { path, .. } => Some(disk_full_hint(path)),
            Self::NoSignature { .. } => Some(
                "an unsigned release is never taken; sign it with: banger-release build --key FILE ..."
                    .into(),
            ),
            Self::Local { path, .. } => Some(format!(
                "a source holds manifest.json, manifest.json.minisig and the archive: ls -l {}",
                path.parent().unwrap_or(path).display()
            )),
            Self::NoArchive { .. } | Self::Write { .. } => None,
        }
    }

    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSource
            | Self::Unreachable { .. }
            | Self::NotFound { .. }
            | Self::Local { .. } => ErrorKind::Unreachable,
            Self::BadSource { .. } => ErrorKind::Usage,
            Self::DiskFull { .. } => ErrorKind::HostLacks,
            Self::Staging { .. } | Self::Write { .. } => ErrorKind::Other,
            Self::Tls { .. }
            | Self::LeavesTls { .. }
            | Self::TooManyRedirects { .. }
            | Self::TooLarge { .. }
            | Self::NoSignature { .. }
            | Self::NotText { .. }
            | Self::OtherArchive { .. }
            | Self::NoArchive { .. }
            | Self::Size { .. }
            | Self::Digest { .. } => ErrorKind::Refused,
        }
    }

    /// A signature that is not there is a release that is not signed, not a source out of reach.
    pub(super) fn of_signature(self, place: &str) -> Self {
        match self {
            Self::NotFound { .. } => Self::NoSignature {
                place: place.into(),
            },
            Self::Local { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Self::NoSignature {
                    place: place.into(),
                }
            }
            other => other,
        }
    }

    /// Tells a full disk from other trouble with a write.
    pub(super) fn of_write(path: &Path, needed: u64, source: io::Error) -> Self {
        if is_disk_full(&source) {
            Self::DiskFull {
                path: path.into(),
                needed,
            }
        } else {
            Self::Write {
                path: path.into(),
                source,
            }
        }
    }
}

/// No space, or none left for this user.
pub(super) fn is_disk_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

pub(super) fn disk_full_hint(path: &Path) -> String {
    format!("make room, then run it again: df -h {}", path.display())
}
