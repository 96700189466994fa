//! What Firecracker, or whoever has taken its place, answers on its API socket.

use std::io::Read as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};

use banger_jail::{ApiError, Instance, ask_instance, send_ctrl_alt_del};
use rustix::net::{SendFlags, send};
use serde_json::Value;

use crate::{scratch, shown, way};

/// Characters of an answer that a message shows at most.
const LONGEST_SHOWN: usize = 120;

thread_local! {
    static PEER: Peer = Peer::new();
}

/// Takes the bytes for the whole answer to `GET /` or to an action.
pub fn check(bytes: &[u8]) {
    match way(bytes, 2) {
        Some((0, answer)) => match ask(answer, ask_instance) {
            Ok(instance) => is_said(answer, &instance),
            Err(error) => refused(answer, &error),
        },
        Some((_, answer)) => match ask(answer, send_ctrl_alt_del) {
            Ok(()) => assert!(answer.starts_with(b"HTTP/1.1 204")),
            Err(error) => refused(answer, &error),
        },
        None => {}
    }
}

fn ask<T>(answer: &[u8], question: impl Fn(&std::path::Path, u32) -> T) -> T {
    PEER.with(|peer| {
        peer.answers.send(answer.to_vec()).unwrap();
        question(&peer.path, std::process::id())
    })
}

/// What is taken stands in the body of a good answer, and within what that says of its length.
fn is_said(answer: &[u8], instance: &Instance) {
    let text = String::from_utf8_lossy(answer);
    assert!(text.starts_with("HTTP/1.1 200"), "{text:?} was taken");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = String::from_utf8_lossy(&answer[end.expect("a header has an end") + 4..]);
    // fields that nobody asks for are passed over, whatever bytes they hold
    let mut values = serde_json::Deserializer::from_str(&body).into_iter::<Value>();
    let said = values.next().unwrap().unwrap();
    assert_eq!(said["id"], Value::from(instance.id.as_str()), "{text:?}");
    let state = Value::from(instance.state.as_str());
    assert_eq!(said["state"], state, "{text:?}");
}

/// An answer is shown by its first line, and no more of it than fits one.
fn refused(answer: &[u8], error: &ApiError) {
    shown(error);
    if let ApiError::Answer(first) = error {
        assert!(first.chars().count() <= LONGEST_SHOWN);
        let shown = error.to_string();
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        let text = String::from_utf8_lossy(answer);
        assert!(text.starts_with(first.as_str()), "{first:?} of {text:?}");
    }
}

/// The other end of the API socket: this process, as the question's pid says. It answers one
/// connection after the other with the bytes that were sent before.
struct Peer {
    path: PathBuf,
    answers: Sender<Vec<u8>>,
    _folder: tempfile::TempDir,
}

impl Peer {
    fn new() -> Self {
        let folder = scratch::folder();
        let path = folder.path().join("api.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (answers, waiting) = channel::<Vec<u8>>();
        std::thread::spawn(move || {
            for answer in waiting {
                let (stream, _) = listener.accept().unwrap();
                answer_once(stream, &answer);
            }
        });
        Self {
            path,
            answers,
            _folder: folder,
        }
    }
}

fn answer_once(mut stream: UnixStream, mut answer: &[u8]) {
    // the question comes in one piece; a peer that closed before it does not matter
    let _ = stream.read(&mut [0; 1024]);
    while !answer.is_empty() {
        // who has read enough hangs up, and no signal may come of it
        match send(&stream, answer, SendFlags::NOSIGNAL) {
            Ok(sent) => answer = &answer[sent..],
            Err(_) => return,
        }
    }
}
