//! A static file server with TLS from an authority of its own: where releases come from in tests.
//!
//! Guarantees: it serves plain files of one folder and nothing else; its authority is made anew for
//! each server and its key never leaves memory; dropping it ends its threads. [`Mischief`] makes it
//! lie in the ways that a release client has to withstand.
//!
//! It is a std thread per connection with rustls's own stream and a responder of a few lines: a
//! server library would bring a second async stack and, worse, would refuse to tell the lies.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request is a line and a few headers; more is not read.
const REQUEST_LIMIT: u64 = 16 * 1024;
/// A silent client is let go.
const IDLE: Duration = Duration::from_secs(30);

/// How to start a [`ReleaseServer`].
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names beside the address that the certificate is good for.
    pub names: Vec<String>,
    /// `false`: plain http.
    pub tls: bool,
    /// A lie, told for paths that end in the text.
    pub mischief: Option<(String, Mischief)>,
}

/// Ways to lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mischief {
    /// 302 to this base and the same path.
    RedirectTo(String),
    /// Half of the file under its true length, then the end.
    Truncated,
    /// The file, then zeros for as long as the client reads.
    Endless,
    /// The file less its last byte, under a length that fits the lie.
    ShortByOne,
}

/// A running server.
#[derive(Debug)]
pub struct ReleaseServer {
    /// `https://ADDRESS:PORT`, without a slash at the end.
    pub url: String,
    /// The authority's certificate.
    pub ca_pem: String,
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    tls: Option<Arc<ServerConfig>>,
    mischief: Option<(String, Mischief)>,
    requests: AtomicU64,
    stop: AtomicBool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            names: vec!["releases.test".into()],
            tls: true,
            mischief: None,
        }
    }
}

impl ReleaseServer {
    /// Serves a folder on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(folder: &Path) -> io::Result<Self> {
        Self::start_with(folder, ServerOptions::default())
    }

    /// Serves a folder as the options say.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn start_with(folder: &Path, options: ServerOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen)?;
        let address = listener.local_addr()?;
        let (config, ca_pem) = make_identity(address.ip(), options.names)?;
        let scheme = if options.tls { "https" } else { "http" };
        let shared = Arc::new(Shared {
            folder: folder.canonicalize()?,
            tls: options.tls.then(|| Arc::new(config)),
            mischief: options.mischief,
            requests: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let for_acceptor = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || accept(&listener, &for_acceptor));
        Ok(Self {
            url: format!("{scheme}://{address}"),
            ca_pem,
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// Requests that were read so far.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for ReleaseServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // wakes the acceptor, which then sees the flag
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// An authority and a certificate by it for the address and the names.
fn make_identity(address: IpAddr, names: Vec<String>) -> io::Result<(ServerConfig, String)> {
    let failed = |error: rcgen::Error| io::Error::other(error);
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    ca.distinguished_name = DistinguishedName::new();
    ca.distinguished_name
        .push(DnType::CommonName, "banger test authority");
    let ca_key = KeyPair::generate().map_err(failed)?;
    let ca_certificate = ca.self_signed(&ca_key).map_err(failed)?;

    let mut subjects = names;
    subjects.push(address.to_string());
    let leaf_key = KeyPair::generate().map_err(failed)?;
    let leaf = CertificateParams::new(subjects)
        .and_then(|leaf| leaf.signed_by(&leaf_key, &Issuer::from_params(&ca, &ca_key)))
        .map_err(failed)?;

    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            let builder = builder.with_no_client_auth();
            builder.with_single_cert(vec![leaf.der().clone()], key)
        })
        .map_err(io::Error::other)?;
    Ok((config, ca_certificate.pem()))
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok(connection) = connection else {
            continue;
        };
        let shared = Arc::clone(shared);
        // a client that goes away in the middle is no error of ours
        std::thread::spawn(move || drop(serve(connection, &shared)));
    }
}

fn serve(connection: TcpStream, shared: &Shared) -> io::Result<()> {
    connection.set_read_timeout(Some(IDLE))?;
    connection.set_write_timeout(Some(IDLE))?;
    match &shared.tls {
        None => answer(connection, shared).map(drop),
        Some(config) => {
            let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            let mut stream = answer(StreamOwned::new(session, connection), shared)?;
            stream.conn.send_close_notify();
            stream.flush()
        }
    }
}

/// Reads one request, writes one response, and asks the client to close.
fn answer<S: Read + Write>(stream: S, shared: &Shared) -> io::Result<S> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let mut head = reader.by_ref().take(REQUEST_LIMIT);
    head.read_line(&mut line)?;
    let mut header = String::new();
    while head.read_line(&mut header)? > 2 {
        header.clear();
    }
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let mut stream = reader.into_inner();
    let path = match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["GET" | "HEAD", path, _] => (*path).to_owned(),
        _ => return plain(stream, "400 Bad Request"),
    };
    let Some(file) = find(&shared.folder, &path) else {
        return plain(stream, "404 Not Found");
    };
    let content = if line.starts_with("HEAD") {
        Vec::new()
    } else {
        fs_err::read(file)?
    };
    let mischief = shared
        .mischief
        .as_ref()
        .filter(|(suffix, _)| path.ends_with(suffix.as_str()))
        .map(|(_, mischief)| mischief);
    respond(&mut stream, &path, &content, mischief)?;
    stream.flush()?;
    Ok(stream)
}

fn respond(
    stream: &mut impl Write,
    path: &str,
    content: &[u8],
    mischief: Option<&Mischief>,
) -> io::Result<()> {
    let length = content.len();
    match mischief {
        None => {
            head(stream, "200 OK", &format!("Content-Length: {length}\r\n"))?;
            stream.write_all(content)
        }
        Some(Mischief::RedirectTo(base)) => head(
            stream,
            "302 Found",
            &format!("Location: {base}{path}\r\nContent-Length: 0\r\n"),
        ),
        Some(Mischief::Truncated) => {
            head(stream, "200 OK", &format!("Content-Length: {length}\r\n"))?;
            stream.write_all(&content[..length / 2])
        }
        Some(Mischief::ShortByOne) => {
            let length = length.saturating_sub(1);
            head(stream, "200 OK", &format!("Content-Length: {length}\r\n"))?;
            stream.write_all(&content[..length])
        }
        Some(Mischief::Endless) => {
            head(stream, "200 OK", "")?;
            stream.write_all(content)?;
            loop {
                stream.write_all(&[0; 16 * 1024])?;
            }
        }
    }
}

fn head(stream: &mut impl Write, status: &str, headers: &str) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n"
    )
}

fn plain<S: Write>(mut stream: S, status: &str) -> io::Result<S> {
    head(&mut stream, status, "Content-Length: 0\r\n")?;
    stream.flush()?;
    Ok(stream)
}

/// The file that a path names: plain names beneath the folder, no links out of it.
fn find(folder: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path.strip_prefix('/')?);
    let plain = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let file = folder.join(relative).canonicalize().ok()?;
    (plain && file.is_file() && file.starts_with(folder)).then_some(file)
}
