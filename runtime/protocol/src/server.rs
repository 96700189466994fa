//! The accept loop of both daemons.
//!
//! Guarantees: a task per connection, so a slow request holds up no other; the caller's identity
//! comes from the kernel and is checked before a byte is read; no message, wait or number of
//! connections is without a bound, and the bounds of root are not those of the owner, nor is a
//! question for health ever counted; and a stop loses no request: what was accepted is answered,
//! what was not stays in the socket, which is systemd's and goes to the next daemon. Only a question
//! that cannot be answered soon is left without an answer, and its caller asks the next daemon.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::rate::RateLimit;
use super::{Connection, Fault, Idempotence, Reply, limits, serve_stream};

/// Who calls, as the kernel says (`SO_PEERCRED`, unix(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Effective user id at the time of its connect(2).
    pub uid: u32,
    /// Its process id at that time; 0 when it is of no pid namespace that can be seen from here.
    pub pid: u32,
}

/// What a daemon answers with: a reply and the descriptors that go along.
pub type Answer = Result<(Reply, Vec<OwnedFd>), Fault>;

/// What a daemon does with requests.
pub trait Service: Send + Sync + 'static {
    /// Its closed set of requests.
    type Request: DeserializeOwned + Idempotence + Clone + std::fmt::Debug + Send;

    /// Whether this caller may ask anything at all. Nothing of what it sent has been read.
    fn admit(&self, caller: Caller) -> Result<(), Fault>;

    /// Checks that the caller may make the request, then does it.
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
    let seats = Arc::new(Seats::default());
    let mut refusals = RateLimit::new(limits::REFUSALS, limits::REFUSALS_WINDOW);
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                after_failed_accept(error).await?;
                continue;
            }
        };
        let (service, stop, seats) = (Arc::clone(&service), stop.clone(), Arc::clone(&seats));
        match seat(&stream, service.as_ref(), &seats) {
            Ok(seated) => {
                tasks.spawn(async move {
                    if let Err(error) = attend(stream, service.as_ref(), seated, stop).await {
                        tracing::debug!("a connection ended: {error}");
                    }
                });
            }
            Err(Refusal { caller, fault }) => {
                log_refusal(&mut refusals, caller, &fault);
                tasks.spawn(async move {
                    if let Err(error) = refuse(stream, fault).await {
                        tracing::debug!("a refused connection ended: {error}");
                    }
                });
            }
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

/// Goes on after what accept(2) may fail with through no fault of the socket: the connection went
/// away, or descriptors ran short, which ends a while after the next connection does.
async fn after_failed_accept(error: std::io::Error) -> std::io::Result<()> {
    use rustix::io::Errno;
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::CONNABORTED | Errno::INTR) => Ok(()),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
            tracing::warn!("cannot accept a connection now: {error}");
            tokio::time::sleep(limits::SHORT_OF_DESCRIPTORS).await;
            Ok(())
        }
        _ => Err(error),
    }
}

/// How many connections and requests there may be, for the owner and for root apart.
struct Seats {
    owner: Class,
    root: Class,
}

struct Class {
    connections: Arc<Semaphore>,
    requests: Arc<Semaphore>,
}

impl Class {
    fn new(connections: usize) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(connections)),
            requests: Arc::new(Semaphore::new(limits::REQUESTS)),
        }
    }
}

impl Default for Seats {
    fn default() -> Self {
        Self {
            owner: Class::new(limits::CONNECTIONS),
            root: Class::new(limits::ROOT_CONNECTIONS),
        }
    }
}

/// An admitted caller, and its right to be connected.
struct Seated {
    caller: Caller,
    requests: Arc<Semaphore>,
    _connection: OwnedSemaphorePermit,
}

/// A caller who may not ask.
struct Refusal {
    caller: Option<Caller>,
    fault: Fault,
}

fn seat<S: Service>(stream: &UnixStream, service: &S, seats: &Seats) -> Result<Seated, Refusal> {
    let unknown = |error| Refusal {
        caller: None,
        fault: Fault::failed("cannot tell who calls", error),
    };
    let peer = stream.peer_cred().map_err(unknown)?;
    let caller = Caller {
        uid: peer.uid(),
        pid: peer.pid().map_or(0, i32::unsigned_abs),
    };
    let refused = |fault| Refusal {
        caller: Some(caller),
        fault,
    };
    service.admit(caller).map_err(refused)?;
    let class = if caller.uid == 0 {
        &seats.root
    } else {
        &seats.owner
    };
    let connection = Arc::clone(&class.connections).try_acquire_owned();
    let busy = |_| {
        refused(Fault::Busy {
            reason: format!(
                "uid {} has all the connections that it may have",
                caller.uid
            ),
        })
    };
    Ok(Seated {
        caller,
        requests: Arc::clone(&class.requests),
        _connection: connection.map_err(busy)?,
    })
}

fn log_refusal(refusals: &mut RateLimit, caller: Option<Caller>, fault: &Fault) {
    let Some(untold) = refusals.pass(Instant::now()) else {
        return;
    };
    let (uid, pid) = caller.map_or((None, None), |caller| (Some(caller.uid), Some(caller.pid)));
    tracing::warn!(
        action = "connect",
        caller_uid = uid,
        caller_pid = pid,
        outcome = "refused",
        untold,
        "audit: {fault}"
    );
}

/// Tells a caller who may not ask, without reading what it sent.
async fn refuse(stream: UnixStream, fault: Fault) -> zlink::Result<()> {
    let mut connection = serve_stream(stream)?;
    send(&mut connection, Err(fault)).await
}

async fn attend<S: Service>(
    stream: UnixStream,
    service: &S,
    seated: Seated,
    mut stop: watch::Receiver<bool>,
) -> zlink::Result<()> {
    let mut connection = serve_stream(stream)?;
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
                let request = call.method().clone();
                let question = request.reads_only();
                tokio::select! {
                    biased;
                    answer = work(service, &seated, request, descriptors) => answer,
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

/// Does a request when its turn has come; a question for health waits for no other.
async fn work<S: Service>(
    service: &S,
    seated: &Seated,
    request: S::Request,
    descriptors: Vec<OwnedFd>,
) -> Answer {
    let _turn = if request.asks_health() {
        None
    } else {
        // the semaphore is never closed
        seated.requests.acquire().await.ok()
    };
    service.answer(seated.caller, request, descriptors).await
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
