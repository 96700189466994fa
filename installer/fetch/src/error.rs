//! What can go wrong between a source and the staging folder.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use banger_installer_host::Hint;

use crate::error_kind::ErrorKind;
use crate::model::Digest;

/// A release that could not be brought here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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
    /// The connection ended before all bytes were here.
    #[error("{url} broke off after {found} of {signed} bytes")]
    Broken {
        /// What was asked for.
        url: String,
        /// Bytes that are here.
        found: u64,
        /// The signed size.
        signed: u64,
    },
    /// The server sends next to nothing.
    #[error(
        "{url} is too slow: {bytes} bytes in {:.1} seconds", waited.as_secs_f64()
    )]
    TooSlow {
        /// What was asked for.
        url: String,
        /// What came.
        bytes: u64,
        /// In how long.
        waited: Duration,
    },
    /// It took longer than anything may take.
    #[error("{url} was not here after {:.0} seconds", limit.as_secs_f64())]
    TooLong {
        /// What was asked for.
        url: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The server sends another part than was asked for, or a part of another file.
    #[error("{url} answers with another part than was asked for, which begins at byte {at}")]
    WrongRange {
        /// What was asked for.
        url: String,
        /// The first byte that was wanted.
        at: u64,
    },
    /// The proxy of the environment cannot be used. Its text may hold a password and is not shown.
    #[error("the proxy in the environment variable {variable} cannot be used")]
    BadProxy {
        /// The variable.
        variable: &'static str,
    },
    /// The proxy cannot be reached, or will not connect us.
    #[error("cannot fetch {url} through the proxy {proxy}")]
    Proxy {
        /// What was asked for.
        url: String,
        /// The proxy's host and port.
        proxy: String,
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
    #[error("no space for {needed} bytes in {}", path.display())]
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
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::NoSource => Some(Hint::NameSource),
            Self::BadSource { .. } => Some(
                "a source is an https URL, a folder, or an archive or manifest.json in one".into(),
            ),
            Self::Unreachable { url, .. } | Self::NotFound { url } => {
                Some(Hint::TryAddress { url: url.clone() })
            }
            Self::Broken { .. } | Self::TooSlow { .. } | Self::TooLong { .. } => {
                Some(Hint::OtherSource)
            }
            Self::BadProxy { variable } => Some(Hint::ProxyAddress {
                variable: variable.to_string(),
            }),
            Self::Proxy { .. } => Some(Hint::ProxyExcept),
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
            | Self::WrongRange { .. }
            | Self::NotText { .. } => {
                Some("fetch it again; if it stays so, do not use this source".into())
            }
            Self::OtherArchive { named, .. } => Some(Hint::NameArchive {
                named: named.clone(),
            }),
            Self::Staging { path, .. } => Some(Hint::Text(format!(
                "sudo chown root:root {0} && sudo chmod 0700 {0}",
                path.display()
            ))),
            Self::DiskFull { path, .. } => Some(disk_full_hint(path)),
            Self::NoSignature { .. } => Some(Hint::SignRelease),
            Self::Local { path, .. } => Some(Hint::Text(format!(
                "a source holds manifest.json, manifest.json.minisig and the archive: ls -l {}",
                path.parent().unwrap_or(path).display()
            ))),
            Self::NoArchive { .. } | Self::Write { .. } => None,
        }
    }

    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSource
            | Self::Unreachable { .. }
            | Self::NotFound { .. }
            | Self::Broken { .. }
            | Self::TooSlow { .. }
            | Self::TooLong { .. }
            | Self::Proxy { .. }
            | Self::Local { .. } => ErrorKind::Unreachable,
            Self::BadSource { .. } | Self::BadProxy { .. } => ErrorKind::Usage,
            Self::DiskFull { .. } => ErrorKind::HostLacks,
            Self::Staging { .. } | Self::Write { .. } => ErrorKind::Other,
            Self::Tls { .. }
            | Self::LeavesTls { .. }
            | Self::TooManyRedirects { .. }
            | Self::TooLarge { .. }
            | Self::NoSignature { .. }
            | Self::NotText { .. }
            | Self::WrongRange { .. }
            | Self::OtherArchive { .. }
            | Self::NoArchive { .. }
            | Self::Size { .. }
            | Self::Digest { .. } => ErrorKind::Refused,
        }
    }

    /// Whether the source answered that it has no such file.
    pub(super) fn is_absence(&self) -> bool {
        match self {
            Self::NotFound { .. } => true,
            Self::Local { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }

    /// Whether the same question may bring the rest.
    pub(super) const fn is_break(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Proxy { .. } | Self::Broken { .. }
        )
    }

    /// Whether this machine is what failed, so that another mirror would not help.
    pub(super) const fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::DiskFull { .. }
                | Self::Staging { .. }
                | Self::Write { .. }
                | Self::NoArchive { .. }
                | Self::BadProxy { .. }
        )
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

pub(super) fn disk_full_hint(path: &Path) -> Hint {
    Hint::Text(format!(
        "free space, then run it again: df -h {}",
        path.display()
    ))
}
