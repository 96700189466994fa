//! Who may connect, and how much one may ask at a time.

use super::*;

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[tokio::test]
async fn a_caller_who_may_not_connect_is_told_so_before_a_byte_is_read() {
    let world = World::of(Daemon {
        refused: Some(own_uid()),
        ..Daemon::default()
    });
    // it sends nothing at all, and half a request, and a whole one
    for bytes in [
        &b""[..],
        b"{\"method\":",
        b"{\"method\":\"org.banger.Owner.Health\",\"parameters\":{}}\0",
    ] {
        let mut stream = std::os::unix::net::UnixStream::connect(&world.socket).unwrap();
        stream.write_all(bytes).unwrap();
        let answer = tokio::task::spawn_blocking(move || {
            let mut answer = Vec::new();
            // unread bytes turn the end into a reset, after the answer
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8(answer).unwrap()
        });
        let answer = answer.await.unwrap();
        assert!(answer.contains("Fault.NotPermitted"), "{answer:?}");
    }
    assert_eq!(world.daemon.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn health_is_answered_while_every_other_request_waits() {
    let world = World::new();
    let mut slow = Vec::new();
    for _ in 0..limits::REQUESTS {
        slow.push(world.delete());
    }
    while world.daemon.asked.load(Ordering::SeqCst) < limits::REQUESTS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let waiting = world.delete();
    world.health().await.unwrap();
    let asked = world.daemon.asked.load(Ordering::SeqCst);
    assert_eq!(asked, limits::REQUESTS + 1, "one more change was begun");
    for one in slow {
        world.daemon.let_go.notify_one();
        assert!(one.await.unwrap().is_err());
    }
    world.daemon.let_go.notify_one();
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn the_connection_above_the_bound_is_refused_and_the_next_after_an_end_is_not() {
    let world = World::new();
    let bound = match own_uid() {
        0 => limits::ROOT_CONNECTIONS,
        _ => limits::CONNECTIONS,
    };
    let mut idle = Vec::new();
    for _ in 0..bound {
        idle.push(
            tokio::net::UnixStream::connect(&world.socket)
                .await
                .unwrap(),
        );
    }
    let refused = world.health().await;
    assert!(
        matches!(refused, Err(CallError::Fault(Fault::Busy { .. }))),
        "{refused:?}"
    );
    idle.pop();
    // the end is noticed when the daemon next looks at the connection
    while world.health().await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn descriptors_above_the_bound_end_the_connection_however_they_are_sent() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let sent_file = folder.path().join("sent");
    std::fs::write(&sent_file, "").unwrap();
    let count = || {
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        open.filter(|entry| {
            let link = std::fs::read_link(entry.as_ref().unwrap().path());
            link.is_ok_and(|target| target == sent_file)
        })
        .count()
    };
    for per_message in [1, 200] {
        let stream = std::os::unix::net::UnixStream::connect(&world.socket).unwrap();
        let file = std::fs::File::open(&sent_file).unwrap();
        let sending = tokio::task::spawn_blocking(move || {
            let borrowed = vec![std::os::fd::AsFd::as_fd(&file); per_message];
            // a request that never ends, a byte at a time
            let sent = (0..100).take_while(|_| send_with(&stream, &borrowed));
            (sent.count(), stream)
        });
        let (sent, mut stream) = sending.await.unwrap();
        assert!(sent < 100, "all of them were taken");
        // the daemon has closed the connection when this ends
        let _ = stream.read_to_end(&mut Vec::new());
        drop(stream);
        assert_eq!(count(), 0, "descriptors were kept");
    }
    assert_eq!(world.daemon.asked.load(Ordering::SeqCst), 0);
}

/// Sends one byte and these descriptors; false when the other end has hung up.
fn send_with(
    stream: &std::os::unix::net::UnixStream,
    descriptors: &[std::os::fd::BorrowedFd<'_>],
) -> bool {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
    std::thread::sleep(Duration::from_millis(1));
    let mut space = vec![std::mem::MaybeUninit::uninit(); 4096];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
    let byte = [std::io::IoSlice::new(b" ")];
    rustix::net::sendmsg(stream, &byte, &mut ancillary, SendFlags::NOSIGNAL).is_ok()
}

#[tokio::test]
async fn a_full_page_of_the_list_comes_over_a_connection() {
    let world = World::new();
    let request = OwnerRequest::List(ListVms::default());
    let (list, _): (VmList, _) = call(&world.socket, request, &[], BOUND).await.unwrap();
    assert_eq!(list, full_page());
}
