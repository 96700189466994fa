use std::time::Duration;

use banger_installer_host::Hint;

use crate::client::{BusError, JobKind, JobResult};
use banger_installer_host::ErrorKind;
use banger_installer_host::FilesError;

/// A request to systemd that was not fulfilled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemdError {
    /// `/run/systemd/system` is missing (`sd_booted(3)`).
    #[error("systemd is not the init system of this machine")]
    NotBooted,
    /// The system bus cannot be reached.
    #[error("the D-Bus system bus does not answer")]
    NoBus(#[source] BusError),
    /// The runtime that drives the connection could not be made.
    #[error("the connection to D-Bus could not be set up")]
    Runtime(#[source] std::io::Error),
    /// The connection to the bus broke: its daemon ended, say. Whether systemd had heard is not
    /// known.
    #[error("the D-Bus system bus went away before systemd could {what}")]
    BusLost {
        /// What was asked, as words after "could".
        what: String,
        /// How it broke.
        #[source]
        source: BusError,
    },
    /// systemd answered with an error.
    #[error("systemd refused to {what}")]
    Refused {
        /// What was asked, as words after "to".
        what: String,
        /// Its answer.
        #[source]
        source: BusError,
    },
    /// The links by which units start at boot are made, and may be lost with the power.
    #[error(transparent)]
    Unsynced(#[from] FilesError),
    /// A job or a call took longer than its bound.
    #[error("systemd did not {what} within {} s", bound.as_secs())]
    TooSlow {
        /// What was asked, as words after "did not".
        what: String,
        /// The bound.
        bound: Duration,
    },
    /// A process that was to be moved is gone.
    #[error("process {pid} ended before systemd could {what}")]
    Gone {
        /// Its number, which may be another's by now.
        pid: u32,
        /// What was asked, as words after "could".
        what: String,
    },
    /// A job ended otherwise than done.
    #[error("the job to {kind:?} {unit} ended as {result:?}")]
    Job {
        /// What it was to do.
        kind: JobKind,
        /// With which unit.
        unit: String,
        /// How it ended.
        result: JobResult,
    },
}

impl SystemdError {
    /// What the user can type.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::NotBooted => Some(
                "this software runs as systemd services; use a machine that was booted with systemd"
                    .into(),
            ),
            Self::NoBus(_) => Some("sudo apt install dbus, or: sudo systemctl start dbus.socket".into()),
            Self::BusLost { .. } => {
                Some("see that the bus runs, then try again: sudo systemctl start dbus.socket".into())
            }
            Self::Job { unit, .. } => Some(Hint::Text(format!("journalctl -u {unit} --since \"5 min ago\""))),
            Self::Unsynced(error) => error.hint(),
            Self::Runtime(_) | Self::Refused { .. } | Self::TooSlow { .. } | Self::Gone { .. } => {
                None
            }
        }
    }

    /// Which kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotBooted | Self::NoBus(_) | Self::BusLost { .. } => ErrorKind::HostLacks,
            Self::Unsynced(error) => error.kind(),
            _ => ErrorKind::Other,
        }
    }
}
