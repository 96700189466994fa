//! The rules for URLs of sources and of what they lead to.
//!
//! Guarantees: https with a host; http with a literal loopback address alone; no password, query
//! or fragment; and what came over TLS leads only to places with TLS.

use std::net::IpAddr;

use self_update::ureq::http::Uri;

use super::FetchError;

/// https with a host; http with a literal loopback address; no password, query or fragment.
pub(super) fn check(text: &str) -> Result<(), FetchError> {
    let bad = |why| FetchError::BadSource {
        text: text.into(),
        why,
    };
    if text.contains(['?', '#']) {
        return Err(bad("a source's URL has no query and no fragment"));
    }
    let uri: Uri = text.parse().map_err(|_| bad("it is not a URL"))?;
    let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
    if authority.as_str().contains('@') {
        return Err(bad("it holds a user name or password"));
    }
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_loopback(authority.host()) => Ok(()),
        Some("http") => Err(bad("only https is safe (http: loopback addresses only)")),
        _ => Err(bad("only https is fetched")),
    }
}

/// A manifest that came over TLS may lead only to places with TLS.
pub(super) fn check_step(manifest: &str, archive: &str) -> Result<(), FetchError> {
    let keeps_tls = archive.starts_with("https://") || !manifest.starts_with("https://");
    if keeps_tls && check(archive).is_ok() {
        return Ok(());
    }
    Err(FetchError::LeavesTls {
        url: manifest.into(),
        to: archive.into(),
    })
}

/// Whether a host, as it stands in a URL, is this machine by its very text: a literal address.
pub(super) fn is_loopback(host: &str) -> bool {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}
