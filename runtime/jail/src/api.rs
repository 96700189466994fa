//! The few words of Firecracker's API that the helper says: HTTP/1.1 over a unix socket.
//!
//! The other end is a program that a guest may have taken over. So the peer's pid is checked before
//! a byte is sent, the answer is bounded in bytes, the whole exchange in time, the connect included,
//! and nothing but a state word is taken from it.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use serde::Deserialize;

/// Bytes of an answer.
const LONGEST: usize = 16 * 1024;
/// One exchange, from the connect to the last byte. Firecracker answers within a millisecond.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries to connect to a socket whose queue is full, which poll(2) cannot wait for.
const INTERVAL: Duration = Duration::from_millis(10);

/// Why the API gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The socket.
    #[error("the API socket does not answer")]
    Io(#[from] io::Error),
    /// Another process listens there.
    #[error("process {found} listens on the API socket, not {expected}")]
    OtherProcess {
        /// Who listens.
        found: u32,
        /// Who should.
        expected: u32,
    },
    /// Not what Firecracker answers.
    #[error("the API answered {0:?}")]
    Answer(String),
}

/// The answer to `GET /` (Firecracker's `firecracker.yaml`, `InstanceInfo`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Instance {
    /// The id from the command line.
    pub id: String,
    /// `Not started`, `Running` or `Paused`.
    pub state: String,
}

/// Asks the Firecracker of process `pid` what it runs.
///
/// # Errors
/// [`ApiError`].
pub fn ask_instance(socket: &Path, pid: u32) -> Result<Instance, ApiError> {
    let answer = exchange(socket, pid, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let body = body_of(&answer).ok_or_else(|| ApiError::Answer(first_line(&answer)))?;
    serde_json::from_slice(body).map_err(|_| ApiError::Answer(first_line(&answer)))
}

/// Presses Ctrl-Alt-Del in the guest. A Linux guest with an i8042 then shuts down.
///
/// # Errors
/// [`ApiError`].
pub fn send_ctrl_alt_del(socket: &Path, pid: u32) -> Result<(), ApiError> {
    let body = r#"{"action_type":"SendCtrlAltDel"}"#;
    let request = format!(
        "PUT /actions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(socket, pid, &request)?;
    if answer.starts_with(b"HTTP/1.1 204") {
        Ok(())
    } else {
        Err(ApiError::Answer(first_line(&answer)))
    }
}

fn exchange(socket: &Path, pid: u32, request: &str) -> Result<Vec<u8>, ApiError> {
    exchange_within(socket, pid, request, PATIENCE)
}

fn exchange_within(
    socket: &Path,
    pid: u32,
    request: &str,
    patience: Duration,
) -> Result<Vec<u8>, ApiError> {
    let deadline = Deadline(Instant::now() + patience);
    let stream = deadline.connect(socket)?;
    let peer = rustix::net::sockopt::socket_peercred(&stream).map_err(io::Error::from)?;
    let found = peer.pid.as_raw_pid().unsigned_abs();
    if found != pid {
        return Err(ApiError::OtherProcess {
            found,
            expected: pid,
        });
    }
    deadline.send(&stream, request.as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 1024];
    while !is_whole(&answer) && answer.len() < LONGEST {
        let read = deadline.receive(&stream, &mut chunk)?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(chunk.get(..read).unwrap_or_default());
    }
    Ok(answer)
}

/// When an exchange is over, whatever it has come to. A bound on each wait alone would let a peer
/// that sends a byte now and then hold a thread for hours.
#[derive(Debug, Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn left(self) -> io::Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "no whole answer in time",
            ));
        }
        Ok(left)
    }

    /// The socket itself, not what a link in its place leads to: its folder was the VM's own.
    fn connect(self, path: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let held = rustix::fs::open(path, flags, Mode::empty())?;
        let found = FileType::from_raw_mode(rustix::fs::fstat(&held)?.st_mode);
        if found != FileType::Socket {
            return Err(io::Error::other("it is no socket"));
        }
        let address = SocketAddrUnix::new(format!("/proc/self/fd/{}", held.as_raw_fd()))?;
        let stream = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
            None,
        )?;
        loop {
            match rustix::net::connect(&stream, &address) {
                Ok(()) => return Ok(stream),
                Err(Errno::AGAIN) => std::thread::sleep(self.left()?.min(INTERVAL)),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn send(self, stream: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::net::send(stream, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(Errno::AGAIN | Errno::INTR) => self.wait(stream, PollFlags::OUT)?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn receive(self, stream: &OwnedFd, chunk: &mut [u8]) -> io::Result<usize> {
        loop {
            self.wait(stream, PollFlags::IN)?;
            match rustix::net::recv(stream, &mut *chunk, RecvFlags::DONTWAIT) {
                Ok((read, _)) => return Ok(read),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn wait(self, stream: impl AsFd, what: PollFlags) -> io::Result<()> {
        let left = Timespec::try_from(self.left()?).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&stream, what)], Some(&left)) {
            // the caller looks at the clock again
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Header and body, split at the first empty line.
fn split(answer: &[u8]) -> Option<(&str, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let header = std::str::from_utf8(answer.get(..end)?).ok()?;
    Some((header, answer.get(end + 4..)?))
}

fn length_of_body(header: &str) -> usize {
    header
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

fn is_whole(answer: &[u8]) -> bool {
    split(answer).is_some_and(|(header, body)| body.len() >= length_of_body(header))
}

fn body_of(answer: &[u8]) -> Option<&[u8]> {
    let (header, body) = split(answer)?;
    header
        .starts_with("HTTP/1.1 200")
        .then(|| body.get(..length_of_body(header)))
        .flatten()
}

fn first_line(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(120)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A bound that is over soon. What is asserted is that an exchange ends, not when.
    const SOON: Duration = Duration::from_millis(300);

    fn is_late(asked: &Result<Vec<u8>, ApiError>) -> bool {
        matches!(asked, Err(ApiError::Io(error)) if error.kind() == io::ErrorKind::TimedOut)
    }

    #[test]
    fn a_peer_that_sends_a_byte_now_and_then_does_not_hold_the_exchange() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let drip = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let asked = exchange_within(&path, std::process::id(), "GET /", SOON);
        assert!(is_late(&asked), "{asked:?}");
        drip.join().unwrap();
    }

    #[test]
    fn a_socket_whose_queue_is_full_does_not_hold_the_exchange() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let address = SocketAddrUnix::new(&path).unwrap();
        let make = || rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        let listener = make();
        rustix::net::bind(&listener, &address).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let waiting = make();
        rustix::net::connect(&waiting, &address).unwrap();
        let asked = exchange_within(&path, std::process::id(), "GET /", SOON);
        assert!(is_late(&asked), "{asked:?}");
    }

    #[test]
    fn a_link_in_the_place_of_the_socket_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (folder.path().join("socket"), folder.path().join("other"));
        let listener = UnixListener::bind(&elsewhere).unwrap();
        listener.set_nonblocking(true).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        let asked = ask_instance(&path, std::process::id());
        assert!(matches!(asked, Err(ApiError::Io(_))), "{asked:?}");
        let nobody = listener.accept().unwrap_err();
        assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let answer = b"HTTP/1.1 200 \r\nContent-Length: 4\r\n\r\n{}\r\n";
        assert!(is_whole(answer) && !is_whole(&answer[..answer.len() - 1]));
        assert_eq!(body_of(answer), Some(&b"{}\r\n"[..]));
        assert_eq!(
            body_of(b"HTTP/1.1 400 \r\nContent-Length: 2\r\n\r\n{}"),
            None
        );
        assert_eq!(body_of(b"garbage"), None);
    }

    #[test]
    fn another_process_behind_the_socket_is_not_spoken_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let asked = ask_instance(&path, std::process::id() + 1);
        assert!(
            matches!(asked, Err(ApiError::OtherProcess { .. })),
            "{asked:?}"
        );
        let (mut stream, _) = listener.accept().unwrap();
        assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0, "something was sent");
    }

    #[test]
    fn an_endless_answer_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let flood = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while stream.write_all(&[b'x'; 1024]).is_ok() {}
        });
        let asked = ask_instance(&path, std::process::id());
        assert!(matches!(asked, Err(ApiError::Answer(_))), "{asked:?}");
        flood.join().unwrap();
    }
}
