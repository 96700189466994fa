//! Names of systemd units.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a systemd unit with its suffix, as systemd.unit(5) allows it: 1 to 255 bytes of
/// ASCII letters, digits and `:-_.\@`, ending in one of the suffixes of [`UnitKind`].
///
/// ```
/// use banger_installer_host::{UnitKind, UnitName};
///
/// let name: UnitName = "acme-job-00112233445566aa.scope".parse()?;
/// assert_eq!(name.kind(), UnitKind::Scope);
/// assert!("../../etc/passwd".parse::<UnitName>().is_err());
/// # Ok::<(), banger_installer_host::UnitNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitName(String);

/// The kinds of unit that the toolkit handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitKind {
    /// `.service`, systemd.service(5).
    Service,
    /// `.socket`, systemd.socket(5).
    Socket,
    /// `.slice`, systemd.slice(5).
    Slice,
    /// `.scope`, systemd.scope(5).
    Scope,
    /// `.timer`, systemd.timer(5).
    Timer,
}

/// A text that is no unit name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the name of a service, socket, slice, scope or timer unit")]
pub struct UnitNameError {
    text: String,
}

impl UnitName {
    /// systemd's own slice of system services (systemd.special(7)).
    pub fn system_slice() -> Self {
        Self("system.slice".into())
    }

    /// The whole name, suffix included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind that the suffix names.
    pub fn kind(&self) -> UnitKind {
        match self.0.rsplit('.').next() {
            Some("socket") => UnitKind::Socket,
            Some("slice") => UnitKind::Slice,
            Some("scope") => UnitKind::Scope,
            Some("timer") => UnitKind::Timer,
            // the constructor let no other suffix in
            _ => UnitKind::Service,
        }
    }
}

impl FromStr for UnitName {
    type Err = UnitNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
        let known = matches!(
            text.rsplit_once('.'),
            Some((stem, "service" | "socket" | "slice" | "scope" | "timer")) if !stem.is_empty()
        );
        if known && text.len() <= 255 && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(UnitNameError {
                text: text.chars().take(300).collect(),
            })
        }
    }
}

impl TryFrom<String> for UnitName {
    type Error = UnitNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<UnitName> for String {
    fn from(name: UnitName) -> Self {
        name.0
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_are_taken_with_their_kind() {
        for (text, kind) in [
            ("acmed.service", UnitKind::Service),
            ("acmed-root.socket", UnitKind::Socket),
            ("acme.slice", UnitKind::Slice),
            ("acme-job-0a1b.scope", UnitKind::Scope),
        ] {
            assert_eq!(text.parse::<UnitName>().map(|name| name.kind()), Ok(kind));
        }
    }

    #[test]
    fn paths_blanks_and_other_suffixes_are_refused() {
        for text in [
            "",
            ".service",
            "acmed",
            "a/b.service",
            "../a.service",
            "a b.service",
            "a.mount",
        ] {
            assert!(text.parse::<UnitName>().is_err(), "{text:?} was taken");
        }
    }
}
