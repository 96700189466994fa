//! Calls to a daemon.
//!
//! Guarantees: every call ends within its bound. A connection carries one call, so a daemon that is
//! told to stop always answers it; a call that only reads is sent once more when the peer went away
//! without an answer.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use banger_installer_host::ForeignListener;

use super::{Fault, Idempotence, call_stream};

/// A call that brought no reply.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens there.
    #[error("cannot connect to {socket}")]
    Connect {
        /// The socket's path.
        socket: String,
        /// Why.
        #[source]
        source: zlink::Error,
    },
    /// The connection broke before the reply.
    #[error("{socket} closed the connection before it answered")]
    Broken {
        /// The socket's path.
        socket: String,
        /// Why.
        #[source]
        source: zlink::Error,
    },
    /// No reply within the bound.
    #[error("{socket} did not answer within {seconds} s")]
    Late {
        /// The socket's path.
        socket: String,
        /// The bound.
        seconds: u64,
    },
    /// The listener is not the one that was to be spoken to; nothing was sent.
    #[error("{socket} is not the service manager's")]
    Foreign {
        /// The socket's path.
        socket: String,
        /// Who listens.
        #[source]
        source: ForeignListener,
    },
    /// The reply is an error.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Who must listen at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listener {
    /// Whoever does.
    Anybody,
    /// Process 1, as root: who called listen(2) is what the kernel tells the one that connects
    /// (unix(7), `SO_PEERCRED`), and systemd keeps the socket over every restart of its service.
    ServiceManager,
}

/// Calls the daemon at `socket` and returns its reply and the descriptors that came along.
///
/// # Errors
/// [`CallError`].
pub async fn call<Request, Reply>(
    socket: &Path,
    request: Request,
    descriptors: &[OwnedFd],
    bound: Duration,
) -> Result<(Reply, Vec<OwnedFd>), CallError>
where
    Request: Idempotence + Serialize + std::fmt::Debug,
    Reply: DeserializeOwned + std::fmt::Debug,
{
    call_listener(socket, Listener::Anybody, request, descriptors, bound).await
}

/// As [`call`], and only where the service manager listens: before anything is sent.
///
/// # Errors
/// [`CallError`]; [`CallError::Foreign`] where somebody else listens.
pub async fn call_service<Request, Reply>(
    socket: &Path,
    request: Request,
    bound: Duration,
) -> Result<Reply, CallError>
where
    Request: Idempotence + Serialize + std::fmt::Debug,
    Reply: DeserializeOwned + std::fmt::Debug,
{
    let answer = call_listener(socket, Listener::ServiceManager, request, &[], bound);
    Ok(answer.await?.0)
}

async fn call_listener<Request, Reply>(
    socket: &Path,
    listener: Listener,
    request: Request,
    descriptors: &[OwnedFd],
    bound: Duration,
) -> Result<(Reply, Vec<OwnedFd>), CallError>
where
    Request: Idempotence + Serialize + std::fmt::Debug,
    Reply: DeserializeOwned + std::fmt::Debug,
{
    let again = request.reads_only();
    let request = zlink::Call::new(request);
    let attempts = async {
        match call_once(socket, listener, &request, descriptors).await {
            Err(CallError::Broken { .. }) if again => {
                call_once(socket, listener, &request, descriptors).await
            }
            result => result,
        }
    };
    timeout(bound, attempts).await.unwrap_or_else(|_| {
        Err(CallError::Late {
            socket: socket.display().to_string(),
            seconds: bound.as_secs(),
        })
    })
}

async fn call_once<Request, Reply>(
    socket: &Path,
    listener: Listener,
    request: &zlink::Call<Request>,
    descriptors: &[OwnedFd],
) -> Result<(Reply, Vec<OwnedFd>), CallError>
where
    Request: Serialize + std::fmt::Debug,
    Reply: DeserializeOwned + std::fmt::Debug,
{
    let shown = || socket.display().to_string();
    let broken = |source| CallError::Broken {
        socket: shown(),
        source,
    };
    let unreachable = |source| CallError::Connect {
        socket: shown(),
        source,
    };
    let stream = tokio::net::UnixStream::connect(socket)
        .await
        .map_err(|error| unreachable(error.into()))?;
    if listener == Listener::ServiceManager {
        prove_service_manager(&stream, socket)?;
    }
    let mut connection = call_stream(stream).map_err(unreachable)?;
    let copies = descriptors
        .iter()
        .map(OwnedFd::try_clone)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| broken(error.into()))?;
    connection
        .send_call(request, copies)
        .await
        .map_err(broken)?;
    let (reply, received) = connection
        .receive_reply::<Reply, Fault>()
        .await
        .map_err(broken)?;
    for descriptor in &received {
        rustix::io::fcntl_setfd(descriptor.as_fd(), rustix::io::FdFlags::CLOEXEC)
            .map_err(|error| broken(std::io::Error::from(error).into()))?;
    }
    let reply = reply?;
    let parameters = reply
        .into_parameters()
        .ok_or_else(|| broken(zlink::Error::MissingParameters))?;
    Ok((parameters, received))
}

fn prove_service_manager(stream: &tokio::net::UnixStream, socket: &Path) -> Result<(), CallError> {
    let shown = || socket.display().to_string();
    let peer = stream.peer_cred().map_err(|error| CallError::Connect {
        socket: shown(),
        source: error.into(),
    })?;
    let (uid, pid) = (peer.uid(), peer.pid().unwrap_or_default());
    if (uid, pid) == (0, 1) {
        return Ok(());
    }
    Err(CallError::Foreign {
        socket: shown(),
        source: ForeignListener { uid, pid },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Health, OwnerRequest};

    #[test]
    fn a_listener_that_is_not_the_service_managers_is_told_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let answer: Result<Health, _> = runtime.block_on(call_service(
            &path,
            OwnerRequest::Health {},
            Duration::from_secs(5),
        ));
        let Err(CallError::Foreign { source, .. }) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(u32::try_from(source.pid).unwrap(), std::process::id());
        let mut heard = Vec::new();
        let (mut caller, _) = listener.accept().unwrap();
        std::io::Read::read_to_end(&mut caller, &mut heard).unwrap();
        assert!(heard.is_empty(), "{heard:?}");
    }
}
