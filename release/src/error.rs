//! What can go wrong while a release is made.

use std::io;
use std::path::{Path, PathBuf};

use banger_installer::model::{ManifestError, Version, VersionError};

/// A release or a key that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// A key would be lost.
    #[error("{} exists; a key is never overwritten", path.display())]
    Exists {
        /// The file in the way.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A password file without a password.
    #[error("the first line of {} is empty", path.display())]
    NoPassword {
        /// The password file.
        path: PathBuf,
    },
    /// The secret key cannot be used.
    #[error("{} is not a minisign secret key that this password opens", path.display())]
    Key {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: minisign::PError,
    },
    /// The secret key is encrypted and there is no password.
    #[error("{} is encrypted", path.display())]
    KeyEncrypted {
        /// The key file.
        path: PathBuf,
    },
    /// A key cannot be made, or a signature.
    #[error("minisign gave up")]
    Minisign(#[source] minisign::PError),
    /// A file given as a trusted key is none.
    #[error("{} is not a minisign public key", path.display())]
    NotAPublicKey {
        /// The file.
        path: PathBuf,
    },
    /// cargo cannot be started.
    #[error("cannot run {program}")]
    Run {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// cargo ran and did not succeed; it has said why.
    #[error("cargo build ended with {status}")]
    Build {
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// A program does not say a version.
    #[error("{} does not answer --version as a program of the release must", path.display())]
    NoVersion {
        /// The program.
        path: PathBuf,
        /// What it said.
        source: VersionError,
    },
    /// A program is of another version.
    #[error("{} says {found}; the release is {expected}", path.display())]
    OtherVersion {
        /// The program.
        path: PathBuf,
        /// Its version.
        found: Version,
        /// The release's.
        expected: Version,
    },
    /// A number of days that makes no time.
    #[error("{days} days from now is not a time")]
    Expiry {
        /// Days.
        days: u32,
    },
    /// The environment's `SOURCE_DATE_EPOCH` is no number.
    #[error("SOURCE_DATE_EPOCH={text:?} is not a number of seconds")]
    SourceDate {
        /// Its text.
        text: String,
    },
    /// The manifest cannot stand.
    #[error("the manifest cannot be written")]
    Manifest(#[source] ManifestError),
}

impl ReleaseError {
    /// What to type.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { path } => Some(format!(
                "choose another --out, or move it away: mv {0} {0}.old",
                path.display()
            )),
            Self::NoPassword { .. } => Some("put the password on the first line".into()),
            Self::Key { path, .. } => Some(format!(
                "make a key with: banger-release keygen --out DIR; this one begins with: {}",
                first_line(path)
            )),
            Self::KeyEncrypted { .. } => Some("add --password-file FILE".into()),
            Self::NotAPublicKey { .. } => Some("give a .pub file as minisign writes it".into()),
            Self::Run { program, .. } if program.ends_with("cargo") => {
                Some("install Rust (https://rustup.rs), or set CARGO".into())
            }
            Self::OtherVersion { expected, .. } => Some(format!(
                "build the programs with BANGER_VERSION={expected}, or leave --binaries out"
            )),
            _ => None,
        }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Read {
            path: path.into(),
            source,
        }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Write {
            path: path.into(),
            source,
        }
    }
}

/// The comment line of a key file; never the key.
fn first_line(path: &Path) -> String {
    let text = fs_err::read_to_string(path).unwrap_or_default();
    text.lines()
        .next()
        .filter(|line| line.contains("comment"))
        .map_or_else(|| "no comment line".into(), |line| format!("{line:?}"))
}
