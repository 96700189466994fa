//! A static file server with TLS from an authority of its own: where releases come from in tests.
//!
//! Guarantees: it serves plain files of one folder and nothing else; its authority is made anew for
//! each server and its key never leaves memory; dropping it ends its threads. [`Mischief`] makes it
//! lie in the ways that a release client has to withstand.
//!
//! It is a std thread per connection with rustls's own stream and a responder of a few lines: a
//! server library would bring a second async stack and, worse, would refuse to tell the lies.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

mod answer;

use self::answer::Content;
pub use self::answer::{Mischief, Ranges};
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
    /// What it makes of a question for a part of a file.
    pub ranges: Ranges,
}

/// A question that was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The path in the URL.
    pub path: String,
    /// The header `Range`.
    pub range: Option<String>,
    /// The header `If-Range`.
    pub if_range: Option<String>,
    /// The header `User-Agent`.
    pub user_agent: Option<String>,
    is_head: bool,
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
    ranges: Ranges,
    /// How often the lie was told.
    lies: AtomicUsize,
    requests: Mutex<Vec<Request>>,
    stop: AtomicBool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            names: vec!["releases.test".into()],
            tls: true,
            mischief: None,
            ranges: Ranges::Honoured,
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
            ranges: options.ranges,
            lies: AtomicUsize::new(0),
            requests: Mutex::default(),
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
    pub fn requests(&self) -> usize {
        self.shared.requests().len()
    }

    /// The questions for paths that end in the text, in their order.
    pub fn asked(&self, suffix: &str) -> Vec<Request> {
        let requests = self.shared.requests();
        let ends = |request: &&Request| request.path.ends_with(suffix);
        requests.iter().filter(ends).cloned().collect()
    }
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        // a thread that panicked left a whole list behind: it only ever pushes
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// The lie for a path, and how often it was told before.
    fn mischief(&self, path: &str) -> Option<(&Mischief, usize)> {
        let (suffix, mischief) = self.mischief.as_ref()?;
        let lies = path.ends_with(suffix.as_str());
        lies.then(|| (mischief, self.lies.fetch_add(1, Ordering::SeqCst)))
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
        if shared.is_stopped() {
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
    let request = read_request(&mut reader)?;
    let mut stream = reader.into_inner();
    let Some(request) = request else {
        return answer::plain(stream, "400 Bad Request");
    };
    shared.requests().push(request.clone());
    let Some(file) = find(&shared.folder, &request.path) else {
        return answer::plain(stream, "404 Not Found");
    };
    let content = if request.is_head {
        Vec::new()
    } else {
        fs_err::read(file)?
    };
    let content = Content {
        bytes: &content,
        request: &request,
        ranges: shared.ranges,
    };
    let mischief = shared.mischief(&request.path);
    answer::respond(&mut stream, &content, mischief, &|| shared.is_stopped())?;
    stream.flush()?;
    Ok(stream)
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut head = reader.take(REQUEST_LIMIT);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let mut request = match line.split(' ').collect::<Vec<_>>().as_slice() {
        [method @ ("GET" | "HEAD"), path, _] => Some(Request {
            path: (*path).to_owned(),
            is_head: *method == "HEAD",
            ..Request::default()
        }),
        _ => None,
    };
    let mut header = String::new();
    while head.read_line(&mut header)? > 2 {
        if let (Some(request), Some((name, value))) = (&mut request, header.split_once(':')) {
            let value = || Some(value.trim().to_owned());
            match name.to_ascii_lowercase().as_str() {
                "range" => request.range = value(),
                "if-range" => request.if_range = value(),
                "user-agent" => request.user_agent = value(),
                _ => {}
            }
        }
        header.clear();
    }
    Ok(request)
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
