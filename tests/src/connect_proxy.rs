//! A proxy for HTTP's CONNECT on loopback: what stands between a machine and its releases in tests.
//!
//! Guarantees: whatever host a client names, it connects to one server of the test and to nothing
//! else; dropping it ends its acceptor.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A request for a connection is a line and a few headers; more is not read.
const REQUEST_LIMIT: u64 = 16 * 1024;
/// Who is silent for so long is let go.
const IDLE: Duration = Duration::from_secs(30);

/// A running proxy.
#[derive(Debug)]
pub struct ConnectProxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    /// The line that a client must send, when it must.
    authorization: Option<String>,
    asked: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl ConnectProxy {
    /// Connects everybody to `server`.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        Self::start_with(server, None)
    }

    /// Connects those who send this value of `Proxy-Authorization`; the others get a 407.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start_with(server: SocketAddr, authorization: Option<&str>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server,
            authorization: authorization.map(Into::into),
            asked: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let for_acceptor = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if for_acceptor.stop.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&for_acceptor);
                // a client that goes away in the middle is no error of ours
                std::thread::spawn(move || drop(tunnel(client, &shared)));
            }
        });
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// The hosts and ports that were asked for, in their order.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.shared.asked.lock();
        asked.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // wakes the acceptor, which then sees the flag
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn tunnel(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_read_timeout(Some(IDLE))?;
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = reader.by_ref().take(REQUEST_LIMIT);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let mut given = None;
    let mut header = String::new();
    while head.read_line(&mut header)? > 2 {
        if let Some(value) = header.strip_prefix("Proxy-Authorization:") {
            given = Some(value.trim().to_owned());
        }
        header.clear();
    }
    let host = match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["CONNECT", host, _] => (*host).to_owned(),
        _ => return client.write_all(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n"),
    };
    let mut asked = shared.asked.lock().unwrap_or_else(PoisonError::into_inner);
    asked.push(host);
    drop(asked);
    if shared.authorization.is_some() && given != shared.authorization {
        return client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    }
    let mut server = TcpStream::connect_timeout(&shared.server, IDLE)?;
    server.set_read_timeout(Some(IDLE))?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut back, mut to_client) = (server.try_clone()?, client);
    let answers = std::thread::spawn(move || {
        let copied = io::copy(&mut back, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
        copied
    });
    let _ = io::copy(&mut reader, &mut server);
    let _ = server.shutdown(Shutdown::Both);
    drop(answers.join());
    Ok(())
}
