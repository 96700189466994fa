//! Where releases come from.
//!
//! Guarantees: a source is https, or plain http on a literal loopback address, or a place on this
//! machine; a channel that is put into one cannot lead anywhere else.

use std::path::{Path, PathBuf};

use banger_installer_host::is_word;

use super::transport::{Ask, Deadline, Incoming};
use super::{
    FetchError, MANIFEST_LIMIT, MANIFEST_NAME, SIGNATURE_LIMIT, Transport, address, local,
    signature_name,
};

/// Stands for the channel in the text of a source.
const CHANNEL: &str = "{channel}";

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

/// A file and the text of its signature, as they came: nothing is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedFile {
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// The text of the file beside it, `NAME.minisig`.
    pub signature: String,
}

impl Source {
    /// Reads a source: a URL, a folder that exists, or a file in one. `{channel}` in it stands for
    /// the channel.
    ///
    /// # Errors
    /// [`FetchError::BadSource`].
    pub fn parse(text: &str, channel: &str) -> Result<Self, FetchError> {
        let bad = |why| FetchError::BadSource {
            text: text.into(),
            why,
        };
        if !text.contains(CHANNEL) {
            return Self::parse_filled(text);
        }
        if !is_channel(channel) {
            return Err(bad(
                "the channel that stands for {channel} is no plain word",
            ));
        }
        Self::parse_filled(&text.replace(CHANNEL, channel))
    }

    fn parse_filled(text: &str) -> Result<Self, FetchError> {
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

    /// Brings the newest manifest and its signature, each within its cap.
    ///
    /// # Errors
    /// [`FetchError`]; [`FetchError::NotFound`] or [`FetchError::Local`] when there is none.
    pub fn manifest(&self, transport: &Transport) -> Result<SignedFile, FetchError> {
        self.both(transport, MANIFEST_NAME, MANIFEST_LIMIT)
    }

    /// Brings a file of the source and its signature `NAME.minisig`; none, when the source answers
    /// that there is no such file. `limit` is the file's cap, in bytes.
    ///
    /// # Errors
    /// [`FetchError`]; a file without its signature is an error.
    pub fn signed(
        &self,
        transport: &Transport,
        name: &str,
        limit: u64,
    ) -> Result<Option<SignedFile>, FetchError> {
        match self.both(transport, name, limit) {
            Err(error) if error.is_absence() => Ok(None),
            both => both.map(Some),
        }
    }

    fn both(
        &self,
        transport: &Transport,
        name: &str,
        limit: u64,
    ) -> Result<SignedFile, FetchError> {
        let bytes = self.read_capped(transport, name, limit)?;
        let name = signature_name(name);
        let place = self.place_of(&name);
        let signature = self.read_capped(transport, &name, SIGNATURE_LIMIT);
        let signature = match signature {
            Err(error) if error.is_absence() => return Err(FetchError::NoSignature { place }),
            signature => signature?,
        };
        let signature =
            String::from_utf8(signature).map_err(|_| FetchError::NotText { what: place })?;
        Ok(SignedFile { bytes, signature })
    }

    /// The folder that it is: a URL with a slash at its end, or a path.
    pub fn place(&self) -> String {
        self.place_of("")
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
        match self {
            Self::Url { .. } => {
                let mut answer = transport.get(&Ask {
                    url: &place,
                    deadline: Deadline::after(transport.limits().short),
                    at: 0,
                    tag: None,
                })?;
                read_to_end(&mut answer, &place, limit)
            }
            Self::Folder { path, .. } => {
                read_to_end(&mut local::open(&path.join(name))?, &place, limit)
            }
        }
    }
}

fn read_to_end(from: &mut dyn Incoming, place: &str, limit: u64) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = from.next(&mut buffer)?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if bytes.len() as u64 > limit {
            return Err(FetchError::TooLarge {
                what: place.into(),
                limit,
            });
        }
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

/// No dot first, no slash: a channel cannot leave its folder.
fn is_channel(channel: &str) -> bool {
    !channel.starts_with('.') && is_word(channel, b"-_.")
}

fn parse_url(text: &str) -> Result<Source, FetchError> {
    address::check(text)?;
    let manifest = if text.ends_with(&format!("/{MANIFEST_NAME}")) {
        text.into()
    } else {
        format!("{}/{MANIFEST_NAME}", text.trim_end_matches('/'))
    };
    Ok(Source::Url { manifest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_are_safe_are_taken() {
        for (text, manifest) in [
            (
                "https://h.example/acme/",
                "https://h.example/acme/manifest.json",
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
            assert_eq!(Source::parse(text, "stable").unwrap().to_string(), manifest);
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
            let error = Source::parse(text, "stable").unwrap_err();
            assert!(
                matches!(error, FetchError::BadSource { .. }),
                "{text}: {error:?}"
            );
        }
    }

    #[test]
    fn the_channel_is_put_in_and_cannot_lead_elsewhere() {
        let text = "https://h.example/{channel}/x-{channel}";
        assert_eq!(
            Source::parse(text, "beta").unwrap().place(),
            "https://h.example/beta/x-beta/"
        );
        for channel in ["", "..", ".x", "a/b", "a b", "a?b", "ä", "{channel}"] {
            let error = Source::parse(text, channel).unwrap_err();
            assert!(
                matches!(error, FetchError::BadSource { .. }),
                "{channel}: {error:?}"
            );
            // a source that does not ask for it does not care
            assert!(Source::parse("https://h.example", channel).is_ok());
        }
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("beta")).unwrap();
        let text = format!("{}/{{channel}}", folder.path().display());
        assert!(Source::parse(&text, "beta").is_ok());
        assert!(Source::parse(&text, "stable").is_err());
    }
}
