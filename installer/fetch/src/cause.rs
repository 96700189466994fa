//! What an exchange over the network failed of: the one cause that a person can act on.
//!
//! Guarantees: whatever the libraries wrap around it, a refused certificate, a redirect that is not
//! followed, a peer that is too slow and a missing file are told apart; a cause is kept once.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use self_update::Error as UpdateError;
use self_update::ureq::{self, Timeout};

use super::FetchError;

/// What is known of an exchange when it fails.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) url: String,
    /// How long the whole may take.
    pub(super) limit: Duration,
    /// How long the peer may send nothing.
    pub(super) window: Duration,
    /// Where the proxy listens, when there is one.
    pub(super) proxy: Option<String>,
}

type Cause = Box<dyn StdError + Send + Sync>;

impl Exchange {
    /// There was no answer that can be used.
    pub(super) fn failed(&self, error: UpdateError) -> FetchError {
        if let UpdateError::NotFound { .. } = error {
            return FetchError::NotFound {
                url: self.url.clone(),
            };
        }
        // the server answered, and the proxy did its part
        let answered = matches!(
            error,
            UpdateError::HttpStatus { .. }
                | UpdateError::Unauthorized { .. }
                | UpdateError::RateLimited { .. }
        );
        let cause = match error {
            // the wrapper's text repeats it
            UpdateError::Transport(inner) => inner,
            other => Box::new(other),
        };
        match (self.explain(cause), &self.proxy) {
            (FetchError::Unreachable { url, source }, Some(proxy)) if !answered => {
                FetchError::Proxy {
                    url,
                    proxy: proxy.clone(),
                    source,
                }
            }
            (error, _) => error,
        }
    }

    /// The bytes of the answer ended too early.
    pub(super) fn broke(&self, error: io::Error) -> FetchError {
        self.explain(Box::new(error))
    }

    /// The peer sends less than is waited for.
    pub(super) fn slow(&self, bytes: u64, waited: Duration) -> FetchError {
        FetchError::TooSlow {
            url: self.url.clone(),
            bytes,
            waited,
        }
    }

    fn explain(&self, cause: Cause) -> FetchError {
        let url = self.url.clone();
        let mut link: Option<&(dyn StdError + 'static)> = Some(&*cause);
        while let Some(error) = link {
            match in_ureq(error) {
                Some(ureq::Error::RequireHttpsOnly(to)) => {
                    return FetchError::LeavesTls {
                        url,
                        to: to.clone(),
                    };
                }
                Some(ureq::Error::TooManyRedirects) => return FetchError::TooManyRedirects { url },
                Some(ureq::Error::Rustls(_) | ureq::Error::Tls(_)) => {
                    return FetchError::Tls { url, source: cause };
                }
                Some(ureq::Error::Timeout(Timeout::Global)) => {
                    return FetchError::TooLong {
                        url,
                        limit: self.limit,
                    };
                }
                Some(ureq::Error::Timeout(
                    Timeout::PerRead | Timeout::PerWrite | Timeout::RecvResponse,
                )) => return self.slow(0, self.window),
                _ => {}
            }
            if is_about_certificates(error) {
                return FetchError::Tls { url, source: cause };
            }
            link = error.source();
        }
        FetchError::Unreachable { url, source: cause }
    }
}

/// ureq's own error: as it is, or as the inside of an I/O error.
fn in_ureq<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a ureq::Error> {
    error.downcast_ref().or_else(|| {
        let io: &io::Error = error.downcast_ref()?;
        io.get_ref()?.downcast_ref()
    })
}

/// rustls hands a refused certificate on as an I/O error with its own error inside.
fn is_about_certificates(error: &(dyn StdError + 'static)) -> bool {
    let inner = match error.downcast_ref::<ureq::Error>() {
        Some(ureq::Error::Io(io)) => io.get_ref(),
        _ => error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref),
    };
    inner.is_some_and(|inner| inner.to_string().contains("certificate"))
}
