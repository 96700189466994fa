//! What can go wrong with a command on VMs, and what to type then.

use std::path::PathBuf;

use banger_installer::error_kind::ErrorKind;
use banger_installer::model::ReceiptError;

use crate::protocol::client::CallError;
use crate::protocol::{Fault, InputError};

/// Why a command on VMs was not done.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// There is no installation record.
    #[error("banger is not installed on this machine")]
    NotInstalled,
    /// The metadata is there and cannot be read.
    #[error("cannot read {path}")]
    ReceiptUnreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The metadata is damaged.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// The caller is not the owner.
    #[error("banger on this machine is installed for {owner}")]
    OtherOwner {
        /// The owner's login name.
        owner: String,
    },
    /// The socket of the owner daemon does not answer.
    #[error("the banger daemon does not answer")]
    NoAnswer(#[source] CallError),
    /// The daemon refused.
    #[error("{0}")]
    Refused(Fault),
    /// A name that is none.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A file of the command line.
    #[error("cannot open the {what} {path}")]
    File {
        /// Kernel or root disk.
        what: &'static str,
        /// What was named.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The log cannot be read.
    #[error("cannot read the log")]
    Log(#[source] std::io::Error),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
    /// The list cannot be turned into JSON.
    #[error("cannot write the list as JSON")]
    Json(#[from] serde_json::Error),
    /// No runtime.
    #[error("cannot begin")]
    Runtime(#[source] std::io::Error),
}

impl From<CallError> for VmError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Fault(fault) => Self::Refused(fault),
            other => Self::NoAnswer(other),
        }
    }
}

impl VmError {
    /// What sort of failure this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotInstalled
            | Self::ReceiptUnreadable { .. }
            | Self::Receipt(_)
            | Self::NoAnswer(_)
            | Self::Refused(Fault::HelperAway { .. }) => ErrorKind::NotInstalled,
            Self::OtherOwner { .. } | Self::Refused(Fault::NotPermitted { .. }) => {
                ErrorKind::NotPermitted
            }
            Self::Refused(Fault::HostLacks { .. }) => ErrorKind::HostLacks,
            Self::File { .. }
            | Self::Input(_)
            | Self::Refused(
                Fault::BadRequest { .. }
                | Fault::BadFile { .. }
                | Fault::NameTaken { .. }
                | Fault::NoSuchVm { .. }
                | Fault::WrongState { .. },
            ) => ErrorKind::BadInput,
            _ => ErrorKind::Other,
        }
    }

    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotInstalled | Self::ReceiptUnreadable { .. } | Self::Receipt(_) => {
                "sudo banger system install".into()
            }
            Self::NoAnswer(_) | Self::Refused(Fault::HelperAway { .. }) => {
                "sudo banger system restart".into()
            }
            Self::OtherOwner { owner } => format!("log in as {owner}"),
            Self::Refused(fault) => return hint_for(fault),
            Self::File { .. } | Self::Input(_) => "banger vm run --help".into(),
            _ => return None,
        };
        Some(hint)
    }
}

fn hint_for(fault: &Fault) -> Option<String> {
    Some(match fault {
        Fault::NameTaken { name } => {
            format!("choose another name, or remove that one: banger vm delete {name}")
        }
        Fault::WrongState { name, state } if matches!(state.as_str(), "running" | "starting") => {
            format!("stop it first: banger vm stop {name}")
        }
        Fault::NoSuchVm { .. } | Fault::WrongState { .. } => "banger vm list".into(),
        Fault::BadFile { .. } => {
            "give an uncompressed x86-64 kernel: banger vm run NAME --kernel vmlinux".into()
        }
        Fault::HostLacks { hint, .. } => hint.clone(),
        Fault::StartFailed { name, .. } => {
            format!("banger vm logs {name}; then banger vm delete {name}")
        }
        Fault::Busy { .. } => "end other programs that use banger, and try again".into(),
        Fault::Failed { .. } => "journalctl -u bangerd-root.service".into(),
        Fault::NotPermitted { .. } | Fault::BadRequest { .. } | Fault::HelperAway { .. } => {
            return None;
        }
    })
}
