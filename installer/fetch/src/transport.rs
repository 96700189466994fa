//! HTTP over TLS: `self_update`'s transport, with an agent that keeps our rules.
//!
//! Guarantees: from an https URL no redirect leads to a place without TLS, redirects are few, a
//! plain http URL (loopback only, see [`super::Source`]) follows none, certificates are checked
//! against the machine's own trust store, every exchange has a deadline, and a peer that sends
//! nothing, or next to nothing, is not waited for until then.
//!
//! `self_update::Download` would take the default agent, which follows redirects down to http and
//! gives no way to say no (its client cannot be injected from outside in 1.3); so the seam below
//! it is used: [`HttpClient`] with an agent of our own.

use std::borrow::Cow;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use self_update::http_client::{HeaderMap, HttpClient, UreqClient, header};
use self_update::ureq;
use self_update::ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::FetchError;
use super::cause::Exchange;
use super::pace::Pace;
use super::proxy::{self, ProxyChoice};
use super::range::Extent;

/// What a server sees of a product that says no name.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// How long servers are waited for, and how often they are asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Redirects that are followed.
    pub redirects: u32,
    /// For a connection, TLS and proxy included.
    pub connect: Duration,
    /// For a manifest, a list of keys, a signature: each from the question to its last byte.
    pub short: Duration,
    /// For an archive from one mirror, however often it is resumed there.
    pub long: Duration,
    /// Bytes a second, on average over each [`Limits::window`] of waiting, below which a server is
    /// left.
    pub least_speed: u64,
    /// See [`Limits::least_speed`]; also how long a server may send nothing at all.
    pub window: Duration,
    /// How often a broken download is resumed at the same mirror.
    pub resumes: u32,
    /// Before each of these.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            redirects: 4,
            connect: Duration::from_secs(20),
            short: Duration::from_secs(60),
            long: Duration::from_secs(30 * 60),
            least_speed: 1024,
            window: Duration::from_secs(30),
            resumes: 5,
            pause: Duration::from_secs(1),
        }
    }
}

/// How servers are spoken to.
#[derive(Debug, Clone)]
pub struct Transport {
    roots: RootCerts,
    proxy: ProxyChoice,
    limits: Limits,
    user_agent: Cow<'static, str>,
}

/// The time that something may take, from when it was said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    ends: Instant,
    pub(super) limit: Duration,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) url: &'a str,
    pub(super) deadline: Deadline,
    /// The first byte that is wanted.
    pub(super) at: u64,
    /// The entity tag of the file whose bytes before that are here.
    pub(super) tag: Option<&'a str>,
}

/// The head of an answer, and the way to its bytes.
pub(super) struct Answer {
    /// How much of the file this is.
    pub(super) extent: Extent,
    /// Whether the server told how many bytes it sends: then an end before that is an error.
    pub(super) has_length: bool,
    /// The file's strong entity tag.
    pub(super) tag: Option<String>,
    exchange: Exchange,
    body: Box<dyn Read>,
    pace: Pace,
}

/// Bytes from outside, and why there are no more.
pub(super) trait Incoming {
    /// Puts the next bytes into a buffer; 0 is the end.
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, FetchError>;
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self {
            ends: Instant::now() + limit,
            limit,
        }
    }

    /// What is left, or the error that nothing is.
    pub(super) fn left(&self, url: &str) -> Result<Duration, FetchError> {
        let left = self.ends.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(FetchError::TooLong {
                url: url.into(),
                limit: self.limit,
            });
        }
        Ok(left)
    }
}

impl Transport {
    /// Trusts the authorities that the machine trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR`, else the
    /// distribution's store), and takes the proxy of the environment.
    pub fn system() -> Self {
        Self::with_roots(RootCerts::PlatformVerifier)
    }

    /// Trusts only the authorities in a PEM text: for a private one, and for tests.
    ///
    /// # Errors
    /// [`FetchError::Tls`], when there is no certificate in it.
    pub fn trusting(pem: &[u8]) -> Result<Self, FetchError> {
        let certificates: Vec<Certificate<'static>> = parse_pem(pem)
            .filter_map(Result::ok)
            .filter_map(|item| match item {
                PemItem::Certificate(certificate) => Some(certificate),
                _ => None,
            })
            .collect();
        if certificates.is_empty() {
            return Err(FetchError::Tls {
                url: "the release source".into(),
                source: "there is no certificate in the given authorities".into(),
            });
        }
        Ok(Self::with_roots(RootCerts::from(certificates)))
    }

    fn with_roots(roots: RootCerts) -> Self {
        Self {
            roots,
            proxy: ProxyChoice::of(|name| std::env::var(name).ok()),
            limits: Limits::default(),
            user_agent: USER_AGENT.into(),
        }
    }

    /// Under a product's own name: `acme/1.2.3` (RFC 9110, section 10.1.5).
    #[must_use]
    pub fn with_user_agent(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// With other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The limits in force.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Asks for a file; gives its bytes without any cap on their number.
    pub(super) fn get(&self, ask: &Ask<'_>) -> Result<Answer, FetchError> {
        let url = ask.url;
        let proxy = self.proxy.for_url(url)?;
        let exchange = Exchange {
            url: url.into(),
            limit: ask.deadline.limit,
            window: self.limits.window,
            proxy: proxy.map(proxy::place),
        };
        let agent = self.agent(url, ask.deadline.left(url)?, proxy);
        let response = UreqClient::from(agent)
            .get(url, &headers(ask), None)
            .map_err(|error| exchange.failed(error))?;
        let text = |name| response.headers().get(name)?.to_str().ok();
        let strong = |tag: &&str| tag.starts_with('"');
        Ok(Answer {
            extent: Extent::of(text(header::CONTENT_RANGE)),
            has_length: response.headers().contains_key(header::CONTENT_LENGTH),
            tag: text(header::ETAG).filter(strong).map(Into::into),
            exchange,
            body: response.body(),
            pace: Pace::new(self.limits.least_speed, self.limits.window),
        })
    }

    fn agent(&self, url: &str, left: Duration, proxy: Option<&ureq::Proxy>) -> ureq::Agent {
        let secure = url.starts_with("https://");
        let window = Some(self.limits.window);
        ureq::Agent::config_builder()
            .https_only(secure)
            .max_redirects(if secure { self.limits.redirects } else { 0 })
            .max_redirects_will_error(true)
            .proxy(proxy.cloned())
            .timeout_global(Some(left))
            .timeout_connect(Some(self.limits.connect))
            .timeout_recv_response(window)
            .timeout_per_read(window)
            .timeout_per_write(window)
            // an archive is a gzip file; it must not be unpacked on the way
            .accept_encoding("identity")
            .user_agent(self.user_agent.as_ref())
            .http_status_as_error(false)
            .tls_config(TlsConfig::builder().root_certs(self.roots.clone()).build())
            .build()
            .new_agent()
    }
}

/// The rest of a file, as long as it is still the same file (RFC 9110, sections 13.1.5 and 14.2).
fn headers(ask: &Ask<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if ask.at == 0 {
        return headers;
    }
    if let Ok(range) = format!("bytes={}-", ask.at).parse() {
        headers.insert(header::RANGE, range);
    }
    if let Some(tag) = ask.tag.and_then(|tag| tag.parse().ok()) {
        headers.insert(header::IF_RANGE, tag);
    }
    headers
}

impl Incoming for Answer {
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, FetchError> {
        loop {
            let asked = Instant::now();
            match self.body.read(buffer) {
                Ok(0) => return Ok(0),
                Ok(count) => {
                    let paced = self.pace.note(count, asked.elapsed());
                    paced.map_err(|slow| self.exchange.slow(slow.bytes, slow.waited))?;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.exchange.broke(error)),
            }
        }
    }
}
