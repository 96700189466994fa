//! The administrator's configuration, `config.toml` in its folder ([`banger_installer_host::Layout::config_file`]).
//!
//! Guarantees: a file that another user could have written is refused, and so is a key that this
//! version does not know: a misspelt setting is an error with its line, never a setting that
//! silently does nothing. A missing file is the default.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use banger_installer_host::Hint;

use crate::error_kind::ErrorKind;
use crate::verify::TrustedFileError;
use crate::verify::trusted_file;

/// More bytes than a configuration ever has.
const LIMIT: u64 = 64 * 1024;

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[update]`.
    pub update: UpdateConfig,
}

/// `[update]`: where releases come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpdateConfig {
    /// A release source: an https URL, a folder, or a file in one.
    pub source: Option<String>,
    /// Several of them, in the order in which they are asked.
    pub sources: Vec<String>,
}

impl UpdateConfig {
    /// `source`, or `sources`: only one of them is there.
    pub fn all_sources(&self) -> Vec<&str> {
        let all = self.source.iter().chain(&self.sources);
        all.map(String::as_str).collect()
    }
}

/// A configuration that is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not TOML of our shape; the source shows the line.
    #[error("{} is not a valid configuration", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// `source` and `sources` are both there: which of them counts would be a guess.
    #[error("{} sets both source and sources", path.display())]
    Both {
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder is not to be trusted.
    #[error("the configuration cannot be relied on")]
    Unsafe(#[source] TrustedFileError),
}

impl ConfigError {
    /// What to type.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Syntax { path, .. } => Some(Hint::Text(format!(
                "all there is to set in {}:\n    [update]\n    \
                 sources = [\"https://...\", \"https://...\"]",
                path.display()
            ))),
            Self::Both { path } => Some(Hint::Text(format!(
                "name them all in one list in {}:\n    [update]\n    \
                 sources = [\"https://...\", \"https://...\"]",
                path.display()
            ))),
            Self::Unsafe(cause) => cause.hint(),
        }
    }

    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Syntax { .. } | Self::Both { .. } => ErrorKind::Usage,
            Self::Unsafe(_) => ErrorKind::Refused,
        }
    }
}

/// Reads the configuration. It and its folder must belong to `required_uid` (root) alone.
///
/// # Errors
/// [`ConfigError`], when it exists and cannot be trusted or understood.
pub fn read(path: &Path, required_uid: u32) -> Result<Config, ConfigError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(Config::default());
    };
    let Some(open) =
        trusted_file::open_folder(folder, required_uid).map_err(ConfigError::Unsafe)?
    else {
        return Ok(Config::default());
    };
    let text = trusted_file::read_beneath(&open, Path::new(name), path, required_uid, LIMIT)
        .map_err(ConfigError::Unsafe)?;
    parse(&text.unwrap_or_default(), path)
}

/// Parses the text of a configuration; `path` is for messages.
///
/// ```
/// use std::path::Path;
///
/// use banger_installer_fetch::{Source, config};
///
/// let path = Path::new("/etc/acme/config.toml");
/// let text = "[update]\nsource = \"https://example.org/acme/{channel}\"\n";
/// let config = config::parse(text, path)?;
/// let source = Source::parse(config.update.all_sources()[0], "stable")?;
/// assert_eq!(source.place(), "https://example.org/acme/stable/");
/// // what is sent without TLS is no source
/// assert!(Source::parse("http://example.org/acme/", "stable").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ConfigError::Syntax`], [`ConfigError::Both`].
pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    let config: Config = toml::from_str(text).map_err(|source| ConfigError::Syntax {
        path: path.into(),
        source: Box::new(source),
    })?;
    if config.update.source.is_some() && !config.update.sources.is_empty() {
        return Err(ConfigError::Both { path: path.into() });
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_read_and_nothing_is_required() {
        let path = Path::new("config.toml");
        assert_eq!(parse("", path).unwrap(), Config::default());
        let config = parse("[update]\nsource = \"https://example.org/b\"\n", path).unwrap();
        assert_eq!(
            config.update.source.as_deref(),
            Some("https://example.org/b")
        );
    }

    #[test]
    fn several_sources_are_read_in_their_order_and_not_beside_a_single_one() {
        let path = Path::new("config.toml");
        let config = parse("[update]\nsources = [\"https://b\", \"/a\"]\n", path).unwrap();
        assert_eq!(config.update.all_sources(), ["https://b", "/a"]);
        let both = "[update]\nsource = \"https://a\"\nsources = [\"https://b\"]\n";
        let error = parse(both, path).unwrap_err();
        assert!(matches!(error, ConfigError::Both { .. }), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Usage);
        let hint = error.hint().unwrap().to_string();
        assert!(hint.contains("sources = ["), "{hint}");
    }

    #[test]
    fn a_misspelt_key_is_an_error_that_shows_its_line() {
        let error = parse("[update]\nsauce = \"x\"\n", Path::new("c.toml")).unwrap_err();
        let ConfigError::Syntax { source, .. } = &error else {
            panic!("{error:?}");
        };
        let text = source.to_string();
        assert!(text.contains("line 2") && text.contains("sauce"), "{text}");
    }
}
