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

use super::{Fault, Idempotence, connect};

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
    /// The reply is an error.
    #[error(transparent)]
    Fault(#[from] Fault),
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
    let again = request.reads_only();
    let request = zlink::Call::new(request);
    let attempts = async {
        match call_once(socket, &request, descriptors).await {
            Err(CallError::Broken { .. }) if again => {
                call_once(socket, &request, descriptors).await
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
    let mut connection = connect(socket).await.map_err(|source| CallError::Connect {
        socket: shown(),
        source,
    })?;
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
