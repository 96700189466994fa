//! What a caller sends to a daemon, and a daemon to a caller: varlink messages, each closed by NUL.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use banger_protocol::{
    Connection, Fault, Health, HelperRequest, OwnerRequest, VmList, VmSummary, call_stream, limits,
    serve_stream,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::way;

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
}

/// Takes the bytes for all that comes over one connection: requests of either daemon, or replies.
pub fn check(bytes: &[u8]) {
    let Some((way, sent)) = way(bytes, 5) else {
        return;
    };
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            match way {
                0 => requests::<HelperRequest>(sent).await,
                1 => requests::<OwnerRequest>(sent).await,
                2 => replies::<Health>(sent).await,
                3 => replies::<VmList>(sent).await,
                _ => replies::<VmSummary>(sent).await,
            }
        });
    });
}

/// Every request that is taken is one of the closed set, says what its message says, and can be sent
/// on as the same; a message that is none costs no more than itself.
async fn requests<R>(sent: &[u8])
where
    R: DeserializeOwned + Serialize + std::fmt::Debug + Clone + PartialEq,
{
    let mut connection = connection(sent, serve_stream);
    for frame in Frames::of(sent, limits::REQUEST) {
        connection.read().read_half().refill();
        match connection.receive_call::<R>().await {
            Ok((call, descriptors)) => {
                assert!(descriptors.is_empty());
                frame.must_be_whole();
                let json = serde_json::to_string(call.method()).unwrap();
                let again: R = serde_json::from_str(&json).expect("what was taken can be sent on");
                assert_eq!(&again, call.method());
                frame.must_say(&serde_json::to_value(call.method()).unwrap());
            }
            Err(zlink::Error::Json(_)) => {}
            Err(error) => return over(&frame, &error),
        }
    }
}

/// Every reply that is taken says what its message says, and every fault is one of the closed set.
async fn replies<R>(sent: &[u8])
where
    R: DeserializeOwned + Serialize + std::fmt::Debug + PartialEq,
{
    let mut connection = connection(sent, call_stream);
    for frame in Frames::of(sent, limits::REPLY) {
        connection.read().read_half().refill();
        match connection.receive_reply::<R, Fault>().await {
            Ok((Ok(reply), _)) => {
                frame.must_be_whole();
                if let Some(parameters) = reply.into_parameters() {
                    let json = serde_json::to_string(&parameters).unwrap();
                    let again: R = serde_json::from_str(&json).expect("what was taken can be told");
                    assert_eq!(again, parameters);
                }
            }
            Ok((Err(fault), _)) => {
                frame.must_be_whole();
                assert!(
                    !fault.to_string().is_empty() || frame.holds("\"\""),
                    "{fault:?}"
                );
            }
            Err(zlink::Error::Json(_)) => {}
            Err(error) => {
                assert!(!error.to_string().is_empty());
                if matches!(
                    error,
                    zlink::Error::VarlinkService(_) | zlink::Error::UnknownErrorReply(_)
                ) {
                    continue;
                }
                return over(&frame, &error);
            }
        }
    }
}

/// A connection ends where no whole message is left, or one is too long, and for no other reason.
fn over(frame: &Frame<'_>, error: &zlink::Error) {
    match error {
        zlink::Error::UnexpectedEof => {
            assert!(frame.is_blank() || !frame.whole, "{frame:?} was cut");
        }
        zlink::Error::BufferOverflow => {
            assert!(
                frame.bytes.len() >= frame.budget,
                "{frame:?} is not too long"
            );
        }
        other => panic!("{other} after {frame:?}"),
    }
}

/// A stream over which all this has come, and nothing more will.
fn connection(
    sent: &[u8],
    wrap: fn(tokio::net::UnixStream) -> zlink::Result<Connection>,
) -> Connection {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    // what does not fit the kernel's buffer is left out; corpora stay far below
    ours.set_nonblocking(true).unwrap();
    let _ = ours.write_all(sent);
    wrap(tokio::net::UnixStream::from_std(theirs).unwrap()).unwrap()
}

/// The bytes up to a NUL.
struct Frame<'a> {
    bytes: &'a [u8],
    /// The NUL came.
    whole: bool,
    /// What one message may take.
    budget: usize,
}

impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "b\"{}\"", self.bytes.escape_ascii())
    }
}

impl Frame<'_> {
    /// It ended, and within the budget of its own and what of it came along with the one before.
    fn must_be_whole(&self) {
        assert!(self.whole, "{self:?} has no end and was taken");
        assert!(self.bytes.len() < 2 * self.budget, "{self:?} is too long");
    }

    fn is_blank(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    fn holds(&self, text: &str) -> bool {
        String::from_utf8_lossy(self.bytes).contains(text)
    }

    /// What was taken of the message is what stands in it, but for fields of later versions.
    fn must_say(&self, taken: &Value) {
        // fields that nobody asks for are passed over, whatever bytes they hold
        let text = String::from_utf8_lossy(self.bytes);
        let said: Value = serde_json::from_str(&text).expect("a message is JSON");
        assert_eq!(said["method"], taken["method"], "{self:?}");
        let empty = serde_json::Map::new();
        let parameters = taken["parameters"].as_object().unwrap_or(&empty);
        for (name, value) in parameters {
            assert_eq!(&said["parameters"][name], value, "{name} of {self:?}");
        }
    }
}

struct Frames;

impl Frames {
    fn of(sent: &[u8], budget: usize) -> impl Iterator<Item = Frame<'_>> {
        sent.split_inclusive(|byte| *byte == 0)
            .map(move |piece| match piece.split_last() {
                Some((0, bytes)) => Frame {
                    bytes,
                    whole: true,
                    budget,
                },
                _ => Frame {
                    bytes: piece,
                    whole: false,
                    budget,
                },
            })
    }
}
