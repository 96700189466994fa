//! Where releases come from.
//!
//! Guarantees: a source is https, or plain http on a literal loopback address, or a place on this
//! machine; what the administrator types wins over the configuration, and that over what was built
//! in; there is no default beyond these.

use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use self_update::backends::manifest::parse_manifest;
use self_update::ureq::http::Uri;

use super::spool::{self, Progress, SpooledArchive};
use super::transport::Patience;
use super::{
    Config, FetchError, MANIFEST_LIMIT, MANIFEST_NAME, SIGNATURE_LIMIT, SIGNATURE_NAME, Transport,
    local,
};
use crate::model::{Artefact, Manifest};
use crate::verify::Verified;

/// A place that holds `manifest.json`, its signature and the archives that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// On a server.
    Url {
        /// The manifest's URL.
        manifest: String,
    },
    /// On this machine.
    Folder {
        /// The folder.
        path: PathBuf,
        /// The archive in it that the user named, when it was one.
        archive: Option<String>,
    },
}

/// A manifest and the text of its signature, as they came: nothing is believed yet.
#[derive(Debug, Clone)]
pub struct SignedManifest {
    /// The bytes of `manifest.json`.
    pub bytes: Vec<u8>,
    /// The text of `manifest.json.minisig`.
    pub signature: String,
}

impl Source {
    /// What was typed, else what is configured, else what was built in.
    ///
    /// # Errors
    /// [`FetchError::NoSource`] when there is none of the three, [`FetchError::BadSource`] when the
    /// one that counts cannot be used: a bad word is never skipped for the next.
    pub fn choose(
        typed: Option<&str>,
        config: &Config,
        built_in: Option<&str>,
    ) -> Result<Self, FetchError> {
        let text = typed
            .or(config.update.source.as_deref())
            .or(built_in.filter(|text| !text.is_empty()))
            .ok_or(FetchError::NoSource)?;
        Self::parse(text)
    }

    /// Reads a source: a URL, a folder that exists, or a file in one.
    ///
    /// # Errors
    /// [`FetchError::BadSource`].
    pub fn parse(text: &str) -> Result<Self, FetchError> {
        if text.contains("://") {
            return parse_url(text);
        }
        let bad = |why| FetchError::BadSource {
            text: text.into(),
            why,
        };
        let path = Path::new(text);
        if path.is_dir() {
            return Ok(Self::Folder {
                path: path.into(),
                archive: None,
            });
        }
        if !path.is_file() {
            return Err(bad("there is no such folder or file"));
        }
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| bad("its file name is not UTF-8"))?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok(Self::Folder {
            path: folder.into(),
            archive: (name != MANIFEST_NAME).then(|| name.into()),
        })
    }

    /// Brings the manifest and its signature, each within its cap.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn manifest(&self, transport: &Transport) -> Result<SignedManifest, FetchError> {
        let bytes = self.read_capped(transport, MANIFEST_NAME, MANIFEST_LIMIT)?;
        let signature = self
            .read_capped(transport, SIGNATURE_NAME, SIGNATURE_LIMIT)
            .map_err(|error| error.of_signature(&self.place_of(SIGNATURE_NAME)))?;
        let signature = String::from_utf8(signature).map_err(|_| FetchError::NotText {
            what: self.place_of(SIGNATURE_NAME),
        })?;
        Ok(SignedManifest { bytes, signature })
    }

    /// Brings the archive for a target into an unnamed file in the staging folder and holds its
    /// size and SHA-256 against the signed ones.
    ///
    /// `staging` is made when it is missing (0700); its parent must exist.
    ///
    /// # Errors
    /// [`FetchError`]; nothing stays behind in the staging folder then.
    pub fn archive(
        &self,
        transport: &Transport,
        manifest: &Verified<Manifest>,
        target: &str,
        staging: &Path,
        progress: &mut dyn Progress,
    ) -> Result<SpooledArchive, FetchError> {
        let no_archive = || FetchError::NoArchive {
            target: target.into(),
        };
        let artefact = manifest.release_for(target).ok_or_else(no_archive)?;
        match self {
            Self::Url { manifest: from } => {
                let url = asset_url(manifest.bytes(), from, artefact).ok_or_else(no_archive)?;
                check_step(from, &url)?;
                let mut body = transport.get(&url, Patience::Long)?;
                spool::spool(&mut body, &url, artefact, staging, progress)
            }
            Self::Folder { path, archive } => {
                if let Some(asked) = archive.as_ref().filter(|asked| **asked != artefact.name) {
                    return Err(FetchError::OtherArchive {
                        asked: asked.clone(),
                        named: artefact.name.clone(),
                    });
                }
                let path = path.join(&artefact.name);
                let mut file = local::open(&path)?;
                let shown = path.display().to_string();
                spool::spool(&mut file, &shown, artefact, staging, progress)
            }
        }
    }

    fn place_of(&self, name: &str) -> String {
        match self {
            Self::Url { manifest } => {
                let base = manifest.strip_suffix(MANIFEST_NAME).unwrap_or(manifest);
                format!("{base}{name}")
            }
            Self::Folder { path, .. } => path.join(name).display().to_string(),
        }
    }

    fn read_capped(
        &self,
        transport: &Transport,
        name: &str,
        limit: u64,
    ) -> Result<Vec<u8>, FetchError> {
        let place = self.place_of(name);
        let mut bytes = Vec::new();
        let read = match self {
            Self::Url { .. } => transport
                .get(&place, Patience::Short)?
                .take(limit + 1)
                .read_to_end(&mut bytes)
                .map_err(|source| FetchError::Unreachable {
                    url: place.clone(),
                    source: Box::new(source),
                })?,
            Self::Folder { path, .. } => local::open(&path.join(name))?
                .take(limit + 1)
                .read_to_end(&mut bytes)
                .map_err(|source| FetchError::Local {
                    path: path.join(name),
                    source,
                })?,
        };
        if read as u64 > limit {
            return Err(FetchError::TooLarge { what: place, limit });
        }
        Ok(bytes)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url { manifest } => manifest.fmt(formatter),
            Self::Folder { path, .. } => path.display().fmt(formatter),
        }
    }
}

/// Lets `self_update` read the verified bytes and resolve the asset's URL against the manifest's.
fn asset_url(verified: &[u8], manifest_url: &str, artefact: &Artefact) -> Option<String> {
    let text = std::str::from_utf8(verified).ok()?;
    let releases = parse_manifest(text, manifest_url).ok()?;
    releases
        .first()?
        .assets()
        .iter()
        .find(|asset| asset.name() == artefact.name)
        .map(|asset| asset.download_url().to_owned())
}

fn parse_url(text: &str) -> Result<Source, FetchError> {
    check_url(text)?;
    let manifest = if text.ends_with(&format!("/{MANIFEST_NAME}")) {
        text.into()
    } else {
        format!("{}/{MANIFEST_NAME}", text.trim_end_matches('/'))
    };
    Ok(Source::Url { manifest })
}

/// https with a host; http with a literal loopback address; no password, query or fragment.
fn check_url(text: &str) -> Result<(), FetchError> {
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
fn check_step(manifest: &str, archive: &str) -> Result<(), FetchError> {
    let keeps_tls = archive.starts_with("https://") || !manifest.starts_with("https://");
    if keeps_tls && check_url(archive).is_ok() {
        return Ok(());
    }
    Err(FetchError::LeavesTls {
        url: manifest.into(),
        to: archive.into(),
    })
}

fn is_loopback(host: &str) -> bool {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(source: Option<&str>) -> Config {
        let mut config = Config::default();
        config.update.source = source.map(Into::into);
        config
    }

    #[test]
    fn typed_wins_over_configured_wins_over_built_in() {
        let pick = |typed, configured, built_in| {
            Source::choose(typed, &config(configured), built_in).map(|source| source.to_string())
        };
        let (a, b, c) = (
            "https://a.example",
            "https://b.example",
            "https://c.example",
        );
        assert_eq!(
            pick(Some(a), Some(b), Some(c)).unwrap(),
            format!("{a}/manifest.json")
        );
        assert_eq!(
            pick(None, Some(b), Some(c)).unwrap(),
            format!("{b}/manifest.json")
        );
        assert_eq!(
            pick(None, None, Some(c)).unwrap(),
            format!("{c}/manifest.json")
        );
        // an empty build variable is as good as none
        let error = pick(None, None, Some("")).unwrap_err();
        assert!(matches!(error, FetchError::NoSource));
        let hint = error.hint().unwrap();
        assert!(
            hint.contains("[update]") && hint.contains("source = "),
            "{hint}"
        );
        // a bad word is an error, not a reason to go on to the next
        assert!(pick(Some("ftp://a.example"), Some(b), None).is_err());
    }

    #[test]
    fn urls_that_are_safe_are_taken() {
        for (text, manifest) in [
            (
                "https://h.example/banger/",
                "https://h.example/banger/manifest.json",
            ),
            (
                "https://h.example/x/manifest.json",
                "https://h.example/x/manifest.json",
            ),
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080/manifest.json",
            ),
            ("http://[::1]:8080/a", "http://[::1]:8080/a/manifest.json"),
        ] {
            assert_eq!(Source::parse(text).unwrap().to_string(), manifest);
        }
    }

    #[test]
    fn urls_that_are_not_are_refused() {
        for text in [
            "http://h.example/",
            "http://localhost/",
            "http://127.0.0.1.h.example/",
            "http://10.0.0.1/",
            "https://user:word@h.example/",
            "https://h.example/?a=b",
            "https://h.example/#a",
            "ftp://h.example/",
            "file:///etc",
            "https://",
            "://",
            "/nowhere/at/all",
            "",
        ] {
            let error = Source::parse(text).unwrap_err();
            assert!(
                matches!(error, FetchError::BadSource { .. }),
                "{text}: {error:?}"
            );
        }
    }
}
