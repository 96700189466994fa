//! Versions, and the one parser of what `--version` prints.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A semantic version (semver.org 2.0.0), as releases, receipts and `--version` carry it.
///
/// ```
/// use banger_installer_host::Version;
///
/// let installed = Version::from_version_line("acme", "acme v0.2.0-rc.1+deb12\n")?;
/// let offered: Version = "0.2.0".parse()?;
/// assert!(installed < offered);
///
/// let error = Version::from_version_line("acme", "acmed 0.2.0").unwrap_err();
/// assert!(error.to_string().contains("acmed 0.2.0"));
/// # Ok::<(), banger_installer_host::VersionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(semver::Version);

/// A text that is not a version. It shows the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// The text holds no version where one must stand.
    #[error("no version in {text:?}")]
    Missing {
        /// What was read.
        text: String,
    },
    /// The word in the version's place is not one.
    #[error("{word:?} in {text:?} is not a version")]
    Malformed {
        /// The word in the version's place.
        word: String,
        /// What was read.
        text: String,
        /// Why semver refuses it.
        source: SemverError,
    },
    /// The line is another program's.
    #[error("{text:?} is not the version line of {program}")]
    OtherProgram {
        /// The program that was asked.
        program: String,
        /// What it printed.
        text: String,
    },
}

/// Why semver refused a word; a newtype so that the errors above stay comparable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SemverError(String);

impl Version {
    /// Three numbers, no pre-release tag, no build metadata.
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self(semver::Version::new(major, minor, patch))
    }

    /// Reads the one line that `PROGRAM --version` prints: the program's name, then the version,
    /// then anything. A leading `v`, pre-release tags and build metadata are taken.
    ///
    /// # Errors
    /// [`VersionError`] with the text, when the line is not of that form.
    pub fn from_version_line(program: &str, text: &str) -> Result<Self, VersionError> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let shown = || line.chars().take(200).collect::<String>();
        let mut words = line.split(' ');
        if line.contains('\n') || words.next() != Some(program) {
            return Err(VersionError::OtherProgram {
                program: program.into(),
                text: shown(),
            });
        }
        match words.next() {
            Some(word) if !word.is_empty() => Self::parse_word(word, &shown()),
            _ => Err(VersionError::Missing { text: shown() }),
        }
    }

    fn parse_word(word: &str, text: &str) -> Result<Self, VersionError> {
        semver::Version::parse(word.strip_prefix('v').unwrap_or(word))
            .map(Self)
            .map_err(|error| VersionError::Malformed {
                word: word.into(),
                text: text.into(),
                source: SemverError(error.to_string()),
            })
    }
}

impl FromStr for Version {
    type Err = VersionError;

    /// Takes `1.2.3`, `v1.2.3`, `1.2.3-rc.1` and `1.2.3+build`; nothing around them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(VersionError::Missing { text: text.into() });
        }
        Self::parse_word(text, text)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_line_is_read_in_every_allowed_form() {
        for (line, expected) in [
            ("acme 0.1.3", "0.1.3"),
            ("acme 0.1.3\n", "0.1.3"),
            ("acme v0.1.3", "0.1.3"),
            ("acme 0.2.0-rc.1", "0.2.0-rc.1"),
            ("acme 0.2.0+deb12", "0.2.0+deb12"),
            (
                "acme v1.0.0-beta.2+build.7 (x86_64)",
                "1.0.0-beta.2+build.7",
            ),
        ] {
            let version = Version::from_version_line("acme", line);
            assert_eq!(
                version.map(|found| found.to_string()).as_deref(),
                Ok(expected),
                "{line:?}"
            );
        }
    }

    #[test]
    fn any_other_version_line_is_an_error_that_shows_the_text() {
        for line in [
            "",
            "acme",
            "acme ",
            "acme  0.1.0",
            "acmed 0.1.0",
            "acme one",
            "acme 0.1",
            "acme 01.2.3",
            "acme vv0.1.0",
            "0.1.0",
            "acme 0.1.0\nacme 0.1.1",
        ] {
            let Err(error) = Version::from_version_line("acme", line) else {
                panic!("{line:?} was taken for a version line");
            };
            assert!(
                error.to_string().contains(&format!("{line:?}")),
                "{error} hides {line:?}"
            );
        }
    }
}
