//! Which proxy an https URL is fetched through.
//!
//! Guarantees: the proxy is the environment's, as curl reads it (`https_proxy`, `HTTPS_PROXY`,
//! `all_proxy`, `ALL_PROXY`; `no_proxy` and `NO_PROXY` name the hosts, addresses and networks that
//! are asked directly); one that cannot be used is an error, never skipped in silence; this machine is
//! never asked through one; a proxy's user name and password stand in no text that is made here.
//!
//! What a redirect leads to is held against names and single addresses alone: ureq follows it, and
//! knows no networks.
//!
//! `Proxy::try_from_env` of ureq is not used: it passes over a proxy that it cannot read, asks
//! `ALL_PROXY` and `HTTP_PROXY` for https too, and matches the names in `NO_PROXY` with the spaces
//! around them.

use std::fmt;

use self_update::ureq::http::Uri;
use self_update::ureq::{Proxy, ProxyProtocol};

use super::network::{Network, parse_address};
use super::{FetchError, address};

/// In this order; the first that is set and not empty counts.
const VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The proxy of this process's environment.
#[derive(Clone, Default)]
pub(super) enum ProxyChoice {
    /// Servers are asked directly.
    #[default]
    Direct,
    /// Through this one, but for these addresses.
    Through(Proxy, Vec<Network>),
    /// The variable holds what is no proxy.
    Unusable(&'static str),
}

impl ProxyChoice {
    /// Reads the environment through `lookup`.
    pub(super) fn of(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| lookup(name).filter(|text| !text.trim().is_empty());
        let Some((variable, text)) = VARIABLES
            .iter()
            .find_map(|name| set(name).map(|text| (*name, text)))
        else {
            return Self::Direct;
        };
        let exceptions = EXCEPTIONS.iter().find_map(set).unwrap_or_default();
        match build(text.trim(), &exceptions) {
            Some(proxy) => Self::Through(proxy, networks(&exceptions)),
            None => Self::Unusable(variable),
        }
    }

    /// The proxy for a URL.
    ///
    /// # Errors
    /// [`FetchError::BadProxy`].
    pub(super) fn for_url(&self, url: &str) -> Result<Option<&Proxy>, FetchError> {
        let uri: Option<Uri> = url.parse().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        if address::is_loopback(host) || host.eq_ignore_ascii_case("localhost") {
            return Ok(None);
        }
        match self {
            Self::Direct => Ok(None),
            Self::Through(proxy, _) if uri.as_ref().is_some_and(|uri| proxy.is_no_proxy(uri)) => {
                Ok(None)
            }
            Self::Through(proxy, networks) => {
                let address = parse_address(host);
                let is_near =
                    address.is_some_and(|address| networks.iter().any(|one| one.contains(address)));
                Ok(Some(proxy).filter(|_| !is_near))
            }
            Self::Unusable(variable) => Err(FetchError::BadProxy { variable }),
        }
    }
}

/// Where a proxy listens, and nothing else of it.
pub(super) fn place(proxy: &Proxy) -> String {
    format!("{}:{}", proxy.host(), proxy.port())
}

/// A proxy for HTTP's CONNECT with its exceptions; none, when the text is no such thing.
fn build(text: &str, exceptions: &str) -> Option<Proxy> {
    let read = Proxy::new(text).ok()?;
    let protocol = read.protocol();
    if !matches!(protocol, ProxyProtocol::Http | ProxyProtocol::Https) {
        return None;
    }
    let mut builder = Proxy::builder(protocol).host(read.host()).port(read.port());
    if let Some(name) = read.username() {
        builder = builder.username(name);
    }
    if let Some(word) = read.password() {
        builder = builder.password(word);
    }
    // a redirect may lead here, too
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        builder = builder.no_proxy(host);
    }
    for pattern in each(exceptions).flat_map(patterns) {
        builder = builder.no_proxy(&pattern);
    }
    builder.build().ok()
}

/// The exceptions, one by one.
fn each(exceptions: &str) -> impl Iterator<Item = &str> {
    exceptions.split([',', ' ']).map(str::trim)
}

/// Those exceptions that are addresses or networks.
fn networks(exceptions: &str) -> Vec<Network> {
    each(exceptions).filter_map(Network::parse).collect()
}

/// `example.org` is the host and all beneath it, as curl has it; a port in it does not matter.
fn patterns(exception: &str) -> Vec<String> {
    if exception == "*" {
        return vec!["*".into()];
    }
    // a network, which is no name
    if exception.contains('/') {
        return Vec::new();
    }
    let without_port = match exception.rsplit_once(':') {
        Some((host, port))
            if !port.is_empty()
                && port.bytes().all(|byte| byte.is_ascii_digit())
                && (!host.contains(':') || host.ends_with(']')) =>
        {
            host
        }
        _ => exception,
    };
    let host = without_port
        .trim_start_matches('*')
        .trim_start_matches('.')
        .trim_end_matches('.');
    if host.is_empty() {
        return Vec::new();
    }
    if host.contains(':') {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        return vec![format!("[{bare}]")];
    }
    vec![host.to_owned(), format!(".{host}")]
}

/// ureq's own text leaves the password out; ours leaves out the user name, too.
impl fmt::Debug for ProxyChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => formatter.write_str("Direct"),
            Self::Through(proxy, _) => write!(formatter, "Through({})", place(proxy)),
            Self::Unusable(variable) => write!(formatter, "Unusable({variable})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(environment: &[(&str, &str)]) -> ProxyChoice {
        ProxyChoice::of(|name| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn through(environment: &[(&str, &str)], url: &str) -> Option<String> {
        choose(environment).for_url(url).unwrap().map(place)
    }

    #[test]
    fn the_variables_count_in_their_order() {
        let url = "https://h.example/";
        assert_eq!(through(&[], url), None);
        assert_eq!(
            through(&[("HTTPS_PROXY", "http://p.example:3128")], url).unwrap(),
            "p.example:3128"
        );
        assert_eq!(
            through(&[("ALL_PROXY", "p.example:1")], url).unwrap(),
            "p.example:1"
        );
        let all = [
            ("ALL_PROXY", "http://a.example:1"),
            ("HTTPS_PROXY", "http://b.example:2"),
            ("https_proxy", "http://c.example:3"),
        ];
        assert_eq!(through(&all, url).unwrap(), "c.example:3");
        // an empty variable is none, and http's is not for https
        assert_eq!(through(&[("HTTPS_PROXY", "")], url), None);
        assert_eq!(through(&[("HTTP_PROXY", "http://p.example")], url), None);
    }

    #[test]
    fn hosts_that_are_excepted_and_this_machine_are_asked_directly() {
        let with = |exceptions: &'static str| {
            [
                ("HTTPS_PROXY", "http://p.example:3128"),
                ("NO_PROXY", exceptions),
            ]
        };
        for (exceptions, url) in [
            ("h.example", "https://h.example/"),
            ("a.example, h.example", "https://h.example/"),
            ("example", "https://h.example/"),
            (".h.example", "https://x.h.example/"),
            ("*.h.example", "https://x.h.example/"),
            ("h.example:443", "https://H.example/"),
            ("*", "https://h.example/"),
            ("192.0.2.1", "https://192.0.2.1/"),
            ("2001:db8::1", "https://[2001:db8::1]/"),
            ("2001:DB8:0::1", "https://[2001:db8::1]/"),
            ("192.0.2.0/24", "https://192.0.2.1/"),
            ("h.example, 192.0.2.0/24", "https://192.0.2.1:8443/"),
            ("2001:db8::/32,h.example", "https://[2001:db8:1::1]/"),
            ("[2001:db8::]/32", "https://[2001:db8:1::1]:8443/"),
            ("", "https://127.0.0.1/"),
            ("", "https://127.8.8.8/"),
            ("", "https://[::1]/"),
            ("", "https://localhost/"),
        ] {
            assert_eq!(through(&with(exceptions), url), None, "{exceptions} {url}");
        }
        for (exceptions, url) in [
            ("", "https://h.example/"),
            ("h.example", "https://hh.example/"),
            ("x.h.example", "https://h.example/"),
            ("", "https://127.0.0.1.h.example/"),
            ("192.0.2.0/24", "https://192.0.3.1/"),
            ("192.0.2.0/33", "https://192.0.2.1/"),
            ("0.0.0.0/0", "https://192.0.2.1/"),
            ("192.0.2.0/24", "https://192.0.2.1.h.example/"),
            ("2001:db8::/32", "https://[2001:db9::1]/"),
            ("h.example/24", "https://h.example/"),
        ] {
            assert!(
                through(&with(exceptions), url).is_some(),
                "{exceptions} {url}"
            );
        }
    }

    #[test]
    fn what_cannot_be_used_is_an_error_that_names_the_variable_alone() {
        for text in ["socks5://user:word@p.example", "http://", "ftp://p.example"] {
            let choice = choose(&[("HTTPS_PROXY", text)]);
            let error = choice.for_url("https://h.example/").unwrap_err();
            let shown = format!("{error} {error:?} {choice:?} {:?}", error.hint());
            assert!(shown.contains("HTTPS_PROXY"), "{shown}");
            assert!(
                !shown.contains("word") && !shown.contains("user:"),
                "{shown}"
            );
        }
    }

    #[test]
    fn user_and_password_go_to_the_proxy_and_into_no_text() {
        let choice = choose(&[("https_proxy", "http://alice:p%40ss@p.example:3128")]);
        let proxy = choice.for_url("https://h.example/").unwrap().unwrap();
        assert_eq!(proxy.username(), Some("alice"));
        assert_eq!(proxy.password(), Some("p@ss"));
        let shown = format!("{choice:?} {}", place(proxy));
        assert!(
            !shown.contains("alice") && !shown.contains("ss@"),
            "{shown}"
        );
    }
}
