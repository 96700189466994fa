//! What can go wrong while a release is made.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use banger_installer_host::error_kind::ErrorKind;
use banger_installer_host::{ReleaseListError, UnitNameError};
use banger_installer_trust::model::{
    KeyId, KeyListError, KeyTextError, ManifestError, Version, VersionError,
};

use banger_installer_trust::{KeyringError, SIGNATURES_LIMIT};

use crate::{ListError, PublishError, SBOM_TOOL};

/// A release or a key that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// A key would be lost.
    #[error("{} exists; it is never overwritten", path.display())]
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
    /// A secret that others than its reader can read or change.
    #[error("{} is open to others: its mode is {mode:04o}", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A secret that another user can read and change.
    #[error("{} belongs to uid {uid}", path.display())]
    ForeignSecret {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// A secret cannot come from where this program writes.
    #[error("descriptor {number} is where this program writes, not a secret")]
    OutputDescriptor {
        /// 1 or 2.
        number: u32,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name that is no file name.
    #[error("{name:?} is no name for a key")]
    KeyName {
        /// The name.
        name: String,
    },
    /// A password file without a password.
    #[error("the first line of {} is empty", path.display())]
    NoPassword {
        /// The password file.
        path: PathBuf,
    },
    /// An empty line where a password was asked for.
    #[error("an empty password protects nothing")]
    EmptyPassword,
    /// Typed differently the second time.
    #[error("the two passwords differ")]
    OtherPassword,
    /// A password is to be asked for, and there is no terminal.
    #[error("there is no terminal to ask for the password of {}", path.display())]
    NobodyToAsk {
        /// The key file.
        path: PathBuf,
    },
    /// More password files than keys that need one.
    #[error("no key is left that {} could open", path.display())]
    PasswordLeft {
        /// The password file.
        path: PathBuf,
    },
    /// The secret key cannot be used.
    #[error("{} is not a minisign secret key that this password opens", path.display())]
    Key {
        /// The key file.
        path: PathBuf,
        /// Its first line, when that is a comment.
        comment: String,
        /// Why.
        source: minisign::PError,
    },
    /// The secret key is encrypted and there is no password.
    #[error("{} is encrypted", path.display())]
    KeyEncrypted {
        /// The key file.
        path: PathBuf,
    },
    /// A key that was given twice.
    #[error("key {id} is given twice")]
    KeyTwice {
        /// The key.
        id: KeyId,
    },
    /// None, or more than a signature file holds.
    #[error("{count} keys cannot sign; there must be 1 to {SIGNATURES_LIMIT}")]
    HowManyKeys {
        /// Keys.
        count: usize,
    },
    /// A key cannot be made, or a signature.
    #[error("minisign gave up")]
    Minisign(#[source] minisign::PError),
    /// The text of a public key that is none.
    #[error("a public key cannot be read")]
    KeyText(#[source] KeyTextError),
    /// A file given as a public key is none.
    #[error("{} is not a minisign public key", path.display())]
    NotAPublicKey {
        /// The file.
        path: PathBuf,
    },
    /// A list of keys that cannot stand.
    #[error("the list of keys cannot be used")]
    KeyList(#[source] KeyListError),
    /// A change that a list does not bear.
    #[error(transparent)]
    List(#[from] ListError),
    /// Signed before it was changed, or for another list.
    #[error("the signature of key {id} beside {} is over another list", path.display())]
    ListChanged {
        /// The list.
        path: PathBuf,
        /// The key.
        id: KeyId,
    },
    /// Nothing to add.
    #[error("key {id} has signed this list")]
    SignedAlready {
        /// The key.
        id: KeyId,
    },
    /// Programs that would refuse every list.
    #[error("{threshold} signatures of {roots} root keys can never be there")]
    RootThreshold {
        /// Signatures that a list would need.
        threshold: u32,
        /// Root keys that the programs would have.
        roots: usize,
    },
    /// Programs that one lost or stolen key would cut off from all updates.
    #[error("the programs would trust one key alone")]
    OneKey,
    /// A release that `install.sh` would not take.
    #[error("install.sh installs from channel stable; the release is for {found}")]
    ScriptChannel {
        /// Its channel.
        found: String,
    },
    /// An address that cannot stand in `install.sh`.
    #[error("{text:?} is no address for install.sh")]
    ScriptAddress {
        /// What was given.
        text: String,
    },
    /// A template of another form.
    #[error("packaging/install.sh has not one line for {name}")]
    ScriptTemplate {
        /// The placeholder.
        name: &'static str,
    },
    /// A program cannot be started.
    #[error("cannot run {program}")]
    Run {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A program ran and did not succeed.
    #[error("{command} ended with {status}: {said}")]
    Failed {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its standard error.
        said: String,
    },
    /// cargo ran and did not succeed; it has said why.
    #[error("cargo build ended with {status}")]
    Build {
        /// How it ended.
        status: ExitStatus,
    },
    /// What cargo says of the workspace cannot be read.
    #[error("cargo metadata wrote what is no metadata")]
    Metadata {
        /// Why.
        source: Box<serde_json::Error>,
    },
    /// cargo-cyclonedx is not installed.
    #[error("cargo-cyclonedx, which writes the software bill of materials, is not installed")]
    NoSbomTool,
    /// What cargo-cyclonedx wrote cannot be read.
    #[error("cargo-cyclonedx wrote what is no JSON")]
    Sbom {
        /// Why.
        source: Box<serde_json::Error>,
    },
    /// The changelog says nothing about the version.
    #[error("{} has no section [{version}]", path.display())]
    NoNotes {
        /// The changelog.
        path: PathBuf,
        /// The release.
        version: Version,
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
    /// Public keys that a manifest cannot be held against.
    #[error("the public keys cannot be used")]
    Keys(#[source] KeyringError),
    /// The manifest cannot stand.
    #[error("the manifest cannot be written")]
    Manifest(#[source] ManifestError),
    /// The list of what belongs in the release cannot stand.
    #[error("this is not a release that installers would take")]
    Files(#[source] ReleaseListError),
    /// A unit's name.
    #[error("a unit of the release has no unit's name")]
    Unit(#[source] UnitNameError),
    /// A release that cannot be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl ReleaseError {
    /// What to type.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exists { path } => format!(
                "choose another name, or move it away: mv {0} {0}.old",
                path.display()
            ),
            Self::OpenToOthers { path, .. } => format!(
                "chmod 600 {0}; if others may have read it, make a new key",
                path.display()
            ),
            Self::ForeignSecret { path, .. } => format!(
                "take a copy of your own: install -m 600 {} FILE",
                path.display()
            ),
            Self::OutputDescriptor { .. } => "give another number: --key-fd 3 3<FILE".into(),
            Self::ScriptChannel { .. } => {
                "give the folder of a release that was built with --channel stable".into()
            }
            Self::ScriptAddress { .. } => {
                "give the https address of the published folder, without {channel} or quotes".into()
            }
            Self::ScriptTemplate { .. } => {
                "take packaging/install.sh from the same commit as this program".into()
            }
            Self::OneKey => {
                "give --root twice or more: keys that sign the list of keys, kept apart".into()
            }
            Self::RootThreshold { .. } => "give --root for each root key".into(),
            Self::NoPassword { .. } => "put the password on the first line".into(),
            Self::NobodyToAsk { .. } => {
                "add --password-file FILE, or --unencrypted for a key without a password".into()
            }
            Self::PasswordLeft { .. } => {
                "give one --password-file for each key that is encrypted, in the order of the keys"
                    .into()
            }
            Self::Key { comment, .. } => format!(
                "make a key with: banger-release key make --out DIR; this file begins with: {}",
                if comment.is_empty() {
                    "no comment line"
                } else {
                    comment
                }
            ),
            Self::KeyEncrypted { .. } => "add --password-file FILE".into(),
            Self::HowManyKeys { count: 0 } => "add --key FILE".into(),
            Self::NotAPublicKey { .. } => "give a .pub file as minisign writes it".into(),
            Self::List(cause) => return cause.hint(),
            Self::ListChanged { path, .. } => format!(
                "sign it anew with all root keys: banger-release key rotate {} --root-key FILE",
                path.display()
            ),
            Self::Run { program, .. } if program.ends_with("cargo") => {
                "install Rust (https://rustup.rs), or set CARGO".into()
            }
            Self::NoSbomTool => {
                format!("cargo install --locked {SBOM_TOOL}, or go without: --no-sbom")
            }
            Self::NoNotes { version, path } => format!(
                "write it under \"## [{version}]\" in {}, or add --notes FILE",
                path.display()
            ),
            Self::OtherVersion { expected, .. } => format!(
                "build the programs with BANGER_VERSION={expected}, or leave --binaries out"
            ),
            Self::SourceDate { .. } => "unset it, or: SOURCE_DATE_EPOCH=$(date +%s)".into(),
            Self::Publish(cause) => return cause.hint(),
            _ => return None,
        })
    }

    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists { .. } => ErrorKind::InTheWay,
            Self::Run { .. } | Self::NoSbomTool => ErrorKind::HostLacks,
            Self::SourceDate { .. }
            | Self::NobodyToAsk { .. }
            | Self::OutputDescriptor { .. }
            | Self::Expiry { .. }
            | Self::OneKey
            | Self::ScriptAddress { .. }
            | Self::RootThreshold { .. } => ErrorKind::Usage,
            Self::Publish(cause) => cause.kind(),
            Self::Write { .. }
            | Self::Failed { .. }
            | Self::Build { .. }
            | Self::Metadata { .. }
            | Self::Sbom { .. }
            | Self::Minisign(_) => ErrorKind::Other,
            _ => ErrorKind::BadInput,
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

    pub(crate) fn sbom(source: serde_json::Error) -> Self {
        Self::Sbom {
            source: Box::new(source),
        }
    }
}
