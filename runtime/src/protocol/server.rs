//! The accept loop of both daemons.
//!
//! Guarantees: a task per connection, so a slow request holds up no other; the caller's identity
//! comes from the kernel and is judged before a request is read; no frame, wait or number of
//! connections is without a bound; and a stop loses no request: what was accepted is answered,
//! what was not stays in the socket, which is systemd's and goes to the next daemon. Only a question
//! that cannot be answered soon is left without an answer, and its caller asks the next daemon.

use std::future::Future;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Connection, Fault, Idempotence, Reply, limits, serve_stream};

/// Who calls, as the kernel says (`SO_PEERCRED`, unix(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Effective user id at the time of its connect(2).
    pub uid: u32,
}

/// What a daemon answers with: a reply and the descriptors that go along.
pub type Answer = Result<(Reply, Vec<OwnedFd>), Fault>;

/// What a daemon does with requests.
pub trait Service: Send + Sync + 'static {
    /// Its closed set of requests.
    type Request: DeserializeOwned + Idempotence + Clone + std::fmt::Debug + Send;

    /// Judges the caller and the request, then does it.
    fn answer(
        &self,
        caller: Caller,
        request: Self::Request,
        descriptors: Vec<OwnedFd>,
    ) -> impl Future<Output = Answer> + Send;
}

/// Serves until `stop` turns true, then finishes what was accepted, within [`limits::DRAIN`].
/// Returns how many connections had to be cut off after that.
///
/// # Errors
/// When accept(2) fails for another reason than the caller's.
pub async fn serve<S: Service>(
    listener: UnixListener,
    service: Arc<S>,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<usize> {
    let permits = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = tasks.join_next() => continue,
            accepted = accept(&listener, &permits) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => {
                let (service, stop) = (Arc::clone(&service), stop.clone());
                tasks.spawn(async move {
                    if let Err(error) = attend(stream, service.as_ref(), stop).await {
                        tracing::debug!("a connection ended: {error}");
                    }
                    drop(permit);
                });
            }
            Err(error) if callers_fault(&error) => tracing::warn!("accept: {error}"),
            Err(error) => return Err(error),
        }
    }
    drop(listener);
    let drained = timeout(limits::DRAIN, async {
        while tasks.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        tracing::warn!(
            "requests were still in flight after {} s",
            limits::DRAIN.as_secs()
        );
    }
    Ok(tasks.len())
}

async fn accept(
    listener: &UnixListener,
    permits: &Arc<Semaphore>,
) -> std::io::Result<(UnixStream, Option<tokio::sync::OwnedSemaphorePermit>)> {
    // the permit first: a connection that is not accepted keeps its place in the socket's queue
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

/// accept(2): the connection went away, or descriptors ran short for the moment.
fn callers_fault(error: &std::io::Error) -> bool {
    matches!(
        error
            .raw_os_error()
            .map(rustix::io::Errno::from_raw_os_error),
        Some(
            rustix::io::Errno::CONNABORTED
                | rustix::io::Errno::INTR
                | rustix::io::Errno::MFILE
                | rustix::io::Errno::NFILE
                | rustix::io::Errno::NOBUFS
        )
    )
}

async fn attend<S: Service>(
    stream: UnixStream,
    service: &S,
    mut stop: watch::Receiver<bool>,
) -> zlink::Result<()> {
    let mut connection = serve_stream(stream)?;
    let caller = Caller {
        uid: connection.peer_credentials().await?.unix_user_id().as_raw(),
    };
    let mut first = true;
    loop {
        connection.read().read_half().refill();
        let received = tokio::select! {
            biased;
            received = timeout(limits::IDLE, connection.receive_call::<S::Request>()) => received,
            () = until_closing(&mut stop, first) => return Ok(()),
        };
        first = false;
        let answer = match received {
            Err(_) | Ok(Err(zlink::Error::UnexpectedEof)) => return Ok(()),
            Ok(Ok((call, descriptors))) => {
                keep_to_ourselves(&descriptors)?;
                let request = call.method().clone();
                let question = request.reads_only();
                tokio::select! {
                    biased;
                    answer = service.answer(caller, request, descriptors) => answer,
                    () = until_given_up(&mut stop), if question => return Ok(()),
                }
            }
            Ok(Err(zlink::Error::Json(error))) => Err(Fault::BadRequest {
                reason: error.to_string(),
            }),
            Ok(Err(error)) => return Err(error),
        };
        send(&mut connection, answer).await?;
    }
}

/// Resolves when a silent connection may be closed: after the stop, and for one that has not asked
/// yet, a moment later, since its request may be under way.
async fn until_closing(stop: &mut watch::Receiver<bool>, first: bool) {
    // an error means that the daemon is past its loop
    let _ = stop.wait_for(|stop| *stop).await;
    if first {
        tokio::time::sleep(limits::FIRST_REQUEST).await;
    }
}

/// Resolves when a question may be left to the next daemon.
async fn until_given_up(stop: &mut watch::Receiver<bool>) {
    // an error means that the daemon is past its loop
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(limits::LAST_QUESTIONS).await;
}

/// zlink receives descriptors without `MSG_CMSG_CLOEXEC`; none may reach a VM's process.
fn keep_to_ourselves(descriptors: &[OwnedFd]) -> std::io::Result<()> {
    for descriptor in descriptors {
        rustix::io::fcntl_setfd(descriptor.as_fd(), rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok(())
}

async fn send(connection: &mut Connection, answer: Answer) -> zlink::Result<()> {
    let sent = async {
        match answer {
            Ok((reply, descriptors)) => {
                connection
                    .send_reply(&zlink::Reply::new(Some(reply)), descriptors)
                    .await
            }
            Err(fault) => connection.send_error(&fault, Vec::new()).await,
        }
    };
    timeout(limits::READ, sent)
        .await
        .unwrap_or(Err(zlink::Error::SocketWrite))
}
