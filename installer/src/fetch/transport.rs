//! HTTP over TLS: `self_update`'s transport, with an agent that keeps our rules.
//!
//! Guarantees: from an https URL no redirect leads to a place without TLS, redirects are few, a
//! plain http URL (loopback only, see [`super::Source`]) follows none, certificates are checked
//! against the machine's own trust store, and every exchange has a deadline.
//!
//! `self_update::Download` would take the default agent, which follows redirects down to http and
//! gives no way to say no (its client cannot be injected from outside in 1.3); so the seam below
//! it is used: [`HttpClient`] with an agent of our own.

use std::error::Error as StdError;
use std::io::Read;
use std::time::Duration;

use self_update::Error as UpdateError;
use self_update::http_client::{HeaderMap, HttpClient, HttpResponse, UreqClient};
use self_update::ureq;
use self_update::ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::FetchError;

const MAX_REDIRECTS: u32 = 4;
const CONNECT_DEADLINE: Duration = Duration::from_secs(20);
/// For the manifest and its signature.
const SHORT_DEADLINE: Duration = Duration::from_secs(60);
/// For an archive.
const LONG_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// How servers are spoken to.
#[derive(Debug, Clone)]
pub struct Transport {
    roots: RootCerts,
}

/// How long an exchange may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    Short,
    Long,
}

impl Transport {
    /// Trusts the authorities that the machine trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR`, else the
    /// distribution's store).
    pub fn system() -> Self {
        Self {
            roots: RootCerts::PlatformVerifier,
        }
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
        Ok(Self {
            roots: RootCerts::from(certificates),
        })
    }

    /// Asks for a file; gives its bytes as a reader without any cap.
    pub(super) fn get(&self, url: &str, patience: Patience) -> Result<Box<dyn Read>, FetchError> {
        let secure = url.starts_with("https://");
        let deadline = match patience {
            Patience::Short => SHORT_DEADLINE,
            Patience::Long => LONG_DEADLINE,
        };
        let agent = ureq::Agent::config_builder()
            .https_only(secure)
            .max_redirects(if secure { MAX_REDIRECTS } else { 0 })
            .max_redirects_will_error(true)
            .timeout_global(Some(deadline))
            .timeout_connect(Some(CONNECT_DEADLINE))
            // an archive is a gzip file; it must not be unpacked on the way
            .accept_encoding("identity")
            .user_agent(concat!("banger/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .tls_config(TlsConfig::builder().root_certs(self.roots.clone()).build())
            .build()
            .new_agent();
        UreqClient::from(agent)
            .get(url, &HeaderMap::new(), None)
            .map(HttpResponse::body)
            .map_err(|error| explain(url, error))
    }
}

/// Finds the cause that a person can act on.
fn explain(url: &str, error: UpdateError) -> FetchError {
    if let UpdateError::NotFound { .. } = error {
        return FetchError::NotFound { url: url.into() };
    }
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(link) = cause {
        match link.downcast_ref::<ureq::Error>() {
            Some(ureq::Error::RequireHttpsOnly(to)) => {
                return FetchError::LeavesTls {
                    url: url.into(),
                    to: to.clone(),
                };
            }
            Some(ureq::Error::TooManyRedirects) => {
                return FetchError::TooManyRedirects { url: url.into() };
            }
            Some(ureq::Error::Rustls(_) | ureq::Error::Tls(_)) => return tls(url, error),
            _ => {}
        }
        if is_about_certificates(link) {
            return tls(url, error);
        }
        cause = link.source();
    }
    FetchError::Unreachable {
        url: url.into(),
        source: innermost(error),
    }
}

/// The transport's own error: the wrapper's text repeats it.
fn innermost(error: UpdateError) -> Box<dyn StdError + Send + Sync> {
    match error {
        UpdateError::Transport(inner) => inner,
        other => Box::new(other),
    }
}

/// rustls hands a refused certificate on as an I/O error with its own error inside.
fn is_about_certificates(link: &(dyn StdError + 'static)) -> bool {
    let inner = match link.downcast_ref::<ureq::Error>() {
        Some(ureq::Error::Io(io)) => io.get_ref(),
        _ => link
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref),
    };
    inner.is_some_and(|inner| inner.to_string().contains("certificate"))
}

fn tls(url: &str, error: UpdateError) -> FetchError {
    FetchError::Tls {
        url: url.into(),
        source: innermost(error),
    }
}
