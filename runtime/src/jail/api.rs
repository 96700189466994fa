//! The few words of Firecracker's API that the helper says: HTTP/1.1 over a unix socket.
//!
//! The other end is a program that a guest may have taken over. So the peer's pid is checked before
//! a byte is sent, the answer is bounded in bytes and time, and nothing but a state word is taken
//! from it.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

/// Bytes of an answer.
const LONGEST: u64 = 16 * 1024;
/// Each wait of one exchange.
const PATIENCE: Duration = Duration::from_secs(2);

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
    let mut stream = UnixStream::connect(socket)?;
    let peer = rustix::net::sockopt::socket_peercred(&stream).map_err(io::Error::from)?;
    let found = peer.pid.as_raw_pid().unsigned_abs();
    if found != pid {
        return Err(ApiError::OtherProcess {
            found,
            expected: pid,
        });
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut bounded = stream.take(LONGEST);
    let mut chunk = [0; 1024];
    while !is_whole(&answer) {
        let read = bounded.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(chunk.get(..read).unwrap_or_default());
    }
    Ok(answer)
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
    use super::*;

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
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
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
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let flood = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while stream.write_all(&[b'x'; 1024]).is_ok() {}
        });
        let asked = ask_instance(&path, std::process::id());
        assert!(matches!(asked, Err(ApiError::Answer(_))), "{asked:?}");
        flood.join().unwrap();
    }
}
