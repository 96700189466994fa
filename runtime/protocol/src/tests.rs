//! Client and server against each other, over real sockets.

use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::client::{CallError, call};
use super::server::{Answer, Caller, Service, serve};
use super::*;

mod bounds;

const BOUND: Duration = Duration::from_secs(20);

/// A daemon whose `Delete` waits until it is let go, and which counts what it was asked.
#[derive(Default)]
struct Daemon {
    asked: AtomicUsize,
    /// A uid that may not connect.
    refused: Option<u32>,
    begun: Notify,
    let_go: Notify,
}

impl Service for Daemon {
    type Request = OwnerRequest;

    fn admit(&self, caller: Caller) -> Result<(), Fault> {
        if self.refused == Some(caller.uid) {
            return Err(Fault::NotPermitted {
                reason: format!("not uid {}", caller.uid),
            });
        }
        Ok(())
    }

    async fn answer(
        &self,
        caller: Caller,
        request: OwnerRequest,
        descriptors: Vec<OwnedFd>,
    ) -> Answer {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match request {
            OwnerRequest::Delete(_) => {
                self.begun.notify_one();
                self.let_go.notified().await;
                Err(Fault::NoSuchVm { name: "web".into() })
            }
            OwnerRequest::Log(_) => {
                self.begun.notify_one();
                std::future::pending().await
            }
            OwnerRequest::Run(_) => Ok((Reply::Log {}, descriptors)),
            OwnerRequest::List(_) => Ok((Reply::List(full_page()), Vec::new())),
            _ => Ok((health(caller.uid), Vec::new())),
        }
    }
}

fn health(pid: u32) -> Reply {
    Reply::Health(Health {
        version: "0.1.0".into(),
        pid,
        ready: true,
        refuses: None,
    })
}

/// As many VMs as fit a page, with all that can be said of them.
fn full_page() -> VmList {
    let vm = |number: usize| VmSummary {
        name: format!("vm-{number}"),
        id: None,
        state: VmState::Unmanaged,
        reason: Some("x".repeat(900)),
        pid: Some(number.try_into().unwrap()),
        start_time: Some(u64::MAX),
        control_group: Some("g".repeat(90)),
        cpus: Some(32),
        memory_mib: Some(99_999),
        started: Some(jiff::Timestamp::MAX),
        ended: None,
    };
    VmList {
        vms: (0..limits::VMS_PER_PAGE).map(vm).collect(),
        next: None,
    }
}

struct World {
    _folder: tempfile::TempDir,
    socket: PathBuf,
    daemon: Arc<Daemon>,
    stop: watch::Sender<bool>,
    served: JoinHandle<std::io::Result<usize>>,
}

impl World {
    fn new() -> Self {
        Self::of(Daemon::default())
    }

    fn of(daemon: Daemon) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let daemon = Arc::new(daemon);
        let (stop, stopped) = watch::channel(false);
        let served = tokio::spawn(serve(listener, Arc::clone(&daemon), stopped));
        Self {
            _folder: folder,
            socket,
            daemon,
            stop,
            served,
        }
    }

    async fn health(&self) -> Result<Health, CallError> {
        call(&self.socket, OwnerRequest::Health {}, &[], BOUND)
            .await
            .map(|(health, _)| health)
    }

    fn delete(&self) -> JoinHandle<Result<(VmSummary, Vec<OwnedFd>), CallError>> {
        let socket = self.socket.clone();
        let request = OwnerRequest::Delete(ByName {
            name: "web".parse().unwrap(),
        });
        tokio::spawn(async move { call(&socket, request, &[], BOUND).await })
    }
}

#[tokio::test]
async fn the_caller_is_who_the_kernel_says() {
    let world = World::new();
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(world.health().await.unwrap().pid, uid);
}

#[tokio::test]
async fn a_slow_request_holds_up_no_other_and_is_answered_over_a_stop() {
    let world = World::new();
    let slow = world.delete();
    world.daemon.begun.notified().await;
    world.health().await.unwrap();
    world.stop.send(true).unwrap();
    tokio::task::yield_now().await;
    world.daemon.let_go.notify_one();
    let answer = slow.await.unwrap();
    assert!(
        matches!(answer, Err(CallError::Fault(Fault::NoSuchVm { .. }))),
        "{answer:?}"
    );
    assert_eq!(world.served.await.unwrap().unwrap(), 0, "cut off");
}

#[tokio::test]
async fn a_question_that_cannot_be_answered_does_not_hold_up_the_stop() {
    let world = World::new();
    let socket = world.socket.clone();
    let request = OwnerRequest::Log(ByName {
        name: "web".parse().unwrap(),
    });
    let bound = limits::DRAIN + BOUND;
    let asked =
        tokio::spawn(
            async move { call::<_, serde_json::Value>(&socket, request, &[], bound).await },
        );
    world.daemon.begun.notified().await;
    world.stop.send(true).unwrap();
    assert_eq!(world.served.await.unwrap().unwrap(), 0, "cut off");
    // hung up on, and then there was no next daemon
    let answer = asked.await.unwrap();
    assert!(
        matches!(answer, Err(CallError::Connect { .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_connection_accepted_before_the_stop_gets_its_first_answer() {
    let world = World::new();
    let mut late = connect(&world.socket).await.unwrap();
    // a second call shows that the first connection was accepted: the queue is in order
    world.health().await.unwrap();
    world.stop.send(true).unwrap();
    let request = zlink::Call::new(OwnerRequest::Health {});
    let (reply, _) = late
        .call_method::<_, Health, Fault>(&request, Vec::new())
        .await
        .unwrap();
    assert!(reply.is_ok());
    assert_eq!(world.served.await.unwrap().unwrap(), 0, "cut off");
}

#[tokio::test]
async fn a_descriptor_goes_there_and_back() {
    let world = World::new();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"a kernel").unwrap();
    let request = OwnerRequest::Run(NewVm {
        name: "web".parse().unwrap(),
        cpus: Cpus::default(),
        memory_mib: MemoryMib::default(),
        rootfs: false,
    });
    let (_, back) = call::<_, serde_json::Value>(&world.socket, request, &[file.into()], BOUND)
        .await
        .unwrap();
    let mut back = std::fs::File::from(back.into_iter().next().unwrap());
    let flags = rustix::io::fcntl_getfd(&back).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    let mut text = String::new();
    back.rewind().unwrap();
    back.read_to_string(&mut text).unwrap();
    assert_eq!(text, "a kernel");
}

/// Sends raw bytes and returns what comes back until the daemon closes.
async fn raw(world: &World, bytes: Vec<u8>) -> String {
    let socket = world.socket.clone();
    let exchange = move || {
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        // a daemon that has had enough closes while we still write
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    };
    tokio::task::spawn_blocking(exchange).await.unwrap()
}

#[tokio::test]
async fn what_is_no_request_is_told_so_and_reaches_nobody() {
    let world = World::new();
    for bytes in [
        &b"{}\0"[..],
        b"garbage\0",
        b"{\"method\":\"org.banger.Owner.Exec\",\"parameters\":{}}\0",
        b"{\"method\":\"org.banger.Owner.Delete\",\"parameters\":{\"name\":\"a\\u0000b\"}}\0",
        b"{\"method\":\"org.banger.Owner.Delete\",\"parameters\":{\"name\":\"\"}}\0",
    ] {
        let answer = raw(&world, bytes.to_vec()).await;
        assert!(answer.contains("org.banger.Fault.BadRequest"), "{answer:?}");
    }
    assert_eq!(world.daemon.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_request_above_the_bound_is_cut_off_and_one_below_is_served() {
    let world = World::new();
    let health = |blanks: usize| {
        let blanks = " ".repeat(blanks);
        let text =
            format!("{{{blanks}\"method\":\"org.banger.Owner.Health\",\"parameters\":{{}}}}\0");
        text.into_bytes()
    };
    assert_eq!(raw(&world, health(limits::REQUEST)).await, "");
    assert_eq!(world.daemon.asked.load(Ordering::SeqCst), 0);
    assert!(
        raw(&world, health(limits::REQUEST / 2))
            .await
            .contains("0.1.0")
    );
}

/// A socket that hangs up on its first caller, as a daemon that crashes does.
fn crashing_socket(folder: &std::path::Path) -> (PathBuf, std::thread::JoinHandle<usize>) {
    let socket = folder.join("sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let server = std::thread::spawn(move || {
        drop(listener.accept().unwrap());
        listener.set_nonblocking(true).unwrap();
        let mut callers = 1;
        // the second caller, if there is one, has come by the time that the test ends the call
        let mut request = [0; 4096];
        for _ in 0..2000 {
            match listener.accept() {
                Ok((mut stream, _)) => {
                    callers += 1;
                    stream.set_nonblocking(false).unwrap();
                    let _ = stream.read(&mut request).unwrap();
                    let answer =
                        b"{\"parameters\":{\"version\":\"1.0.0\",\"pid\":1,\"ready\":true}}\0";
                    stream.write_all(answer).unwrap();
                    break;
                }
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        callers
    });
    (socket, server)
}

#[tokio::test]
async fn a_question_is_asked_again_after_a_crash_and_a_change_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, server) = crashing_socket(folder.path());
    let answer = call::<_, Health>(&socket, OwnerRequest::Health {}, &[], BOUND).await;
    assert_eq!(answer.unwrap().0.version, "1.0.0");
    assert_eq!(server.join().unwrap(), 2);

    let folder = tempfile::tempdir().unwrap();
    let (socket, server) = crashing_socket(folder.path());
    let request = OwnerRequest::Delete(ByName {
        name: "web".parse().unwrap(),
    });
    let answer = call::<_, VmSummary>(&socket, request, &[], BOUND).await;
    assert!(
        matches!(answer, Err(CallError::Broken { .. })),
        "{answer:?}"
    );
    assert_eq!(server.join().unwrap(), 1);
}

#[tokio::test]
async fn a_daemon_that_never_answers_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let bound = Duration::from_millis(20);
    let answer = call::<_, Health>(&socket, OwnerRequest::Health {}, &[], bound).await;
    assert!(matches!(answer, Err(CallError::Late { .. })), "{answer:?}");
}
