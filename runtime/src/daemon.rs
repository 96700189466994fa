//! What both daemons do the same: take the socket from systemd, say READY, serve, end on SIGTERM.
//!
//! Guarantees: READY is said when requests are answered and not before; SIGTERM ends with exit
//! code 0 after what was accepted is answered; no VM is touched by either.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use banger_installer_host::{Receipt, ReceiptError};
use sd_notify::NotifyState;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::helper::{Helper, HelperError, HelperService, SystemdScopes};
use crate::owner::OwnerService;
use crate::product;
use crate::protocol::server::{Service, serve};
use crate::storage::Places;

/// Why a daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Not started by its socket unit.
    #[error("no listening socket was handed over; {unit} is started by systemd, not by hand")]
    NoSocket {
        /// The service.
        unit: &'static str,
    },
    /// The wrong user.
    #[error("{unit} must run as {expected}")]
    WrongUser {
        /// The service.
        unit: &'static str,
        /// Who must run it.
        expected: &'static str,
    },
    /// No receipt.
    #[error("cannot read {path}")]
    NoReceipt {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A receipt that others than root could have written.
    #[error("{0} is not root's alone; who the owner is cannot be known")]
    UntrustedReceipt(PathBuf),
    /// A damaged receipt.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// The helper.
    #[error(transparent)]
    Helper(#[from] HelperError),
    /// The operating system.
    #[error("cannot serve")]
    Io(#[from] std::io::Error),
}

/// `EX_CONFIG` of sysexits.h: what lies on the disk cannot be read, and another try will not help.
/// The units name it in `RestartPreventExitStatus=`.
const UNREADABLE: u8 = 78;

impl DaemonError {
    /// The exit code that tells systemd whether to try again.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::UntrustedReceipt(_) | Self::Receipt(_) => UNREADABLE,
            _ => 1,
        }
    }

    /// What to type.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSocket { .. } => Some("sudo banger system restart".into()),
            Self::NoReceipt { .. } | Self::UntrustedReceipt(_) | Self::Receipt(_) => {
                Some("sudo banger system install".into())
            }
            _ => None,
        }
    }
}

/// Runs the owner daemon until it is told to end.
///
/// # Errors
/// [`DaemonError`].
pub fn run_owner(version: &str) -> Result<(), DaemonError> {
    let unit = product::OWNER_SERVICE;
    let uid = rustix::process::geteuid().as_raw();
    if uid == 0 {
        return Err(DaemonError::WrongUser {
            unit,
            expected: "the owner, not root",
        });
    }
    let listener = take_socket(unit)?;
    let service = OwnerService {
        version: version.into(),
        uid,
        helper: product::HELPER_SOCKET.into(),
    };
    runtime()?.block_on(run(listener, Arc::new(service)))
}

/// Runs the root helper until it is told to end.
///
/// # Errors
/// [`DaemonError`].
pub fn run_helper(version: &str) -> Result<(), DaemonError> {
    let unit = product::HELPER_SERVICE;
    if rustix::process::geteuid().as_raw() != 0 {
        return Err(DaemonError::WrongUser {
            unit,
            expected: "root",
        });
    }
    let owner_uid = read_owner(&product::layout().receipt())?;
    let listener = take_socket(unit)?;
    let places = Places::of_host();
    runtime()?.block_on(async {
        let helper = Helper::begin(version.into(), owner_uid, places, Box::new(SystemdScopes))?;
        run(listener, Arc::new(HelperService(helper))).await
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

fn take_socket(unit: &'static str) -> Result<std::os::unix::net::UnixListener, DaemonError> {
    let listener = listenfd::ListenFd::from_env().take_unix_listener(0)?;
    let listener = listener.ok_or(DaemonError::NoSocket { unit })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The owner's uid, from metadata that only root can have written.
fn read_owner(receipt: &Path) -> Result<u32, DaemonError> {
    let unreadable = |source| DaemonError::NoReceipt {
        path: receipt.into(),
        source,
    };
    let file = std::fs::File::open(receipt).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if found.uid() != 0 || found.mode() & 0o022 != 0 {
        return Err(DaemonError::UntrustedReceipt(receipt.into()));
    }
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, 1024 * 1024), &mut bytes)
        .map_err(unreadable)?;
    Ok(Receipt::from_json(&bytes)?.owner.uid)
}

async fn run<S: Service>(
    listener: std::os::unix::net::UnixListener,
    service: Arc<S>,
) -> Result<(), DaemonError> {
    let listener = UnixListener::from_std(listener)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        notify(&[NotifyState::Stopping]);
        // the loop may have exited
        let _ = stop.send(true);
    });
    notify(&[NotifyState::Ready]);
    tracing::info!("ready");
    serve(listener, service, stopped).await?;
    Ok(())
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("systemd was not told {states:?}: {error}");
    }
}
