//! What to type about an error, as data: the toolkit knows what would help, the product alone knows by
//! which of its commands.
//!
//! Guarantees: no text here names a product, a command of one or a path of one. [`Hint`]'s `Display` is a
//! sentence that is true for every product; a product that has commands says them instead.

use std::fmt;
use std::path::PathBuf;

/// What to do about an error.
///
/// ```
/// use banger_installer_host::Hint;
///
/// /// The hints of a product whose command is `acmectl`.
/// fn text(hint: &Hint) -> String {
///     match hint {
///         Hint::Install => "sudo acmectl install".into(),
///         Hint::OtherSource => "try again later, or: sudo acmectl update --from URL".into(),
///         other => other.to_string(),
///     }
/// }
///
/// assert_eq!(text(&Hint::Install), "sudo acmectl install");
/// // what the product has no command for is said in general words
/// assert_eq!(text(&Hint::from("df -h /run")), "df -h /run");
/// assert!(text(&Hint::CheckSource).contains("source"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// The same for every product: a command of the system's, or a sentence.
    Text(String),
    /// Nothing is installed: install.
    Install,
    /// What is missing on the disk is brought back by an install; nothing was changed.
    InstallAgain,
    /// Install this version again out of its unpacked release.
    InstallRelease {
        /// The version.
        version: String,
    },
    /// Install the release that was offered out of its unpacked archive: the installed program is too
    /// old to take it.
    InstallByHand,
    /// Ask for the newest release instead of one version.
    AskForNewest,
    /// An older release is taken by those who ask for it knowingly.
    AllowDowngrade {
        /// Its version.
        version: String,
    },
    /// No source of releases is configured: name one.
    NameSource,
    /// The configured source may be the wrong one.
    CheckSource,
    /// Try again later, or from another source.
    OtherSource,
    /// See by hand what the server says, or do without a network.
    TryAddress {
        /// What was asked for.
        url: String,
    },
    /// A variable holds no address of a proxy: mend it, or do without it.
    ProxyAddress {
        /// The environment's variable.
        variable: String,
    },
    /// A host can be excepted from the proxy.
    ProxyExcept,
    /// The named archive is not the one of the release: name this one, or the folder.
    NameArchive {
        /// The release's archive.
        named: String,
    },
    /// The publisher has to sign the release.
    SignRelease,
    /// The publisher's signature has another form than the one that is accepted.
    SignAgain,
    /// A key can be trusted after its owner was asked.
    TrustKey {
        /// The ids of the keys that are trusted now.
        trusted: Vec<String>,
    },
    /// No key is trusted yet.
    AddFirstKey {
        /// Where keys are looked for.
        folder: PathBuf,
    },
    /// A key that was compiled in is none: build again with good ones.
    BuildKeys,
    /// The compiled-in number of root keys that must sign is none: build again with a good one.
    BuildThreshold,
    /// This program may be too old to read what the source holds.
    TooOldFor {
        /// What cannot be read.
        format: Format,
    },
    /// Protected processes are in the way: stop them, or let the operation end them.
    StopFirst,
    /// One of them cannot be moved: stop it by hand, or let the operation end it.
    StopByHand,
    /// A setting would end them: take it out of these, or let the operation end them.
    TakeOutKillMode {
        /// The files that set it, listed.
        paths: String,
    },
}

/// A format that a later version may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A release's manifest.
    Manifest,
    /// The list of signing keys.
    KeyList,
}

impl Format {
    /// What it belongs to: "the format of the …".
    pub const fn owner(self) -> &'static str {
        match self {
            Self::Manifest => "release",
            Self::KeyList => "list",
        }
    }
}

impl Hint {
    /// One of each kind, so that a product can show that it has a text for all of them.
    pub fn one_of_each() -> Vec<Self> {
        let version = || "0.2.0".to_owned();
        let of = |format| Self::TooOldFor { format };
        vec![
            Self::Text("df -h /run".into()),
            Self::Install,
            Self::InstallAgain,
            Self::InstallRelease { version: version() },
            Self::InstallByHand,
            Self::AskForNewest,
            Self::AllowDowngrade { version: version() },
            Self::NameSource,
            Self::CheckSource,
            Self::OtherSource,
            Self::TryAddress {
                url: "https://example.org/stable/manifest.json".into(),
            },
            Self::ProxyAddress {
                variable: "HTTPS_PROXY".into(),
            },
            Self::ProxyExcept,
            Self::NameArchive {
                named: "release.tar.gz".into(),
            },
            Self::SignRelease,
            Self::SignAgain,
            Self::TrustKey {
                trusted: vec!["0123456789ABCDEF".into()],
            },
            Self::AddFirstKey {
                folder: "/etc/keys.d".into(),
            },
            Self::BuildKeys,
            Self::BuildThreshold,
            of(Format::Manifest),
            of(Format::KeyList),
            Self::StopFirst,
            Self::StopByHand,
            Self::TakeOutKillMode {
                paths: "/etc/systemd/system/x.service.d/y.conf".into(),
            },
        ]
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Text(text) => text,
            Self::Install => "install it first",
            Self::InstallAgain => "nothing was changed; to put one there, install again",
            Self::InstallRelease { version } => {
                return write!(
                    formatter,
                    "unpack the release of {version} and install from it"
                );
            }
            Self::InstallByHand => {
                "unpack the release and install from it; protected processes stay"
            }
            Self::AskForNewest => {
                "ask for the newest; who runs the source knows which versions it keeps"
            }
            Self::AllowDowngrade { version } => {
                return write!(
                    formatter,
                    "the source offers an old release: ask who runs it; {version} is taken when a \
                     downgrade to it is asked for"
                );
            }
            Self::NameSource => "name a source in the configuration, or for this once",
            Self::CheckSource => "look at the source in the configuration",
            Self::OtherSource => "try again later, or name another source",
            Self::TryAddress { url } => {
                return write!(
                    formatter,
                    "try: curl -sSI {url}; without a network: name a folder or a file as the source"
                );
            }
            Self::ProxyAddress { variable } => {
                return write!(
                    formatter,
                    "{variable} is to be http://HOST:PORT or https://HOST:PORT; or unset it"
                );
            }
            Self::ProxyExcept => "a host that is to be asked directly stands in NO_PROXY",
            Self::NameArchive { named } => {
                return write!(formatter, "name {named}, or the folder");
            }
            Self::SignRelease => "an unsigned release is never taken; the publisher must sign it",
            Self::SignAgain => "the publisher signs with: minisign -S, without -l",
            Self::TrustKey { trusted } => {
                return write!(
                    formatter,
                    "trusted here: {}; to trust another key, put its .pub file beside the trusted \
                     ones after checking it with its owner",
                    ids(trusted)
                );
            }
            Self::AddFirstKey { folder } => {
                return write!(
                    formatter,
                    "get the publisher's .pub file by a way that you trust, and put it, root's and \
                     0644, into {}",
                    folder.display()
                );
            }
            Self::BuildKeys => "build again with the second line of a .pub file for each key",
            Self::BuildThreshold => "build again with such a number",
            Self::TooOldFor { format } => {
                return write!(
                    formatter,
                    "this program may be too old for the {}'s format",
                    format.owner()
                );
            }
            Self::StopFirst => "stop them first, or allow the operation to end them",
            Self::StopByHand => "stop it by hand, or allow the operation to end it",
            Self::TakeOutKillMode { paths } => {
                return write!(
                    formatter,
                    "take KillMode= out of {paths}, or allow the operation to end the processes"
                );
            }
        };
        formatter.write_str(text)
    }
}

/// How a product says a [`Hint`]: with its own commands, or as the toolkit does.
#[derive(Clone, Copy)]
pub struct HintText(fn(&Hint) -> String);

impl HintText {
    /// By a function.
    pub const fn new(text: fn(&Hint) -> String) -> Self {
        Self(text)
    }

    /// The text of a hint.
    pub fn of(self, hint: &Hint) -> String {
        (self.0)(hint)
    }
}

impl Default for HintText {
    fn default() -> Self {
        Self(Hint::to_string)
    }
}

impl fmt::Debug for HintText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HintText")
    }
}

/// The ids of keys, as a person reads them.
pub fn ids(trusted: &[String]) -> String {
    if trusted.is_empty() {
        "none".into()
    } else {
        trusted.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of a kind in the list: a new one does not compile before it has one.
    fn place(hint: &Hint) -> usize {
        match hint {
            Hint::Text(_) => 0,
            Hint::Install => 1,
            Hint::InstallAgain => 2,
            Hint::InstallRelease { .. } => 3,
            Hint::InstallByHand => 4,
            Hint::AskForNewest => 5,
            Hint::AllowDowngrade { .. } => 6,
            Hint::NameSource => 7,
            Hint::CheckSource => 8,
            Hint::OtherSource => 9,
            Hint::TryAddress { .. } => 10,
            Hint::ProxyAddress { .. } => 11,
            Hint::ProxyExcept => 12,
            Hint::NameArchive { .. } => 13,
            Hint::SignRelease => 14,
            Hint::SignAgain => 15,
            Hint::TrustKey { .. } => 16,
            Hint::AddFirstKey { .. } => 17,
            Hint::BuildKeys => 18,
            Hint::BuildThreshold => 19,
            Hint::TooOldFor {
                format: Format::Manifest,
            } => 20,
            Hint::TooOldFor {
                format: Format::KeyList,
            } => 21,
            Hint::StopFirst => 22,
            Hint::StopByHand => 23,
            Hint::TakeOutKillMode { .. } => 24,
        }
    }

    #[test]
    fn every_kind_of_hint_is_in_the_list_once_and_has_a_general_text() {
        let hints = Hint::one_of_each();
        let places: Vec<usize> = hints.iter().map(place).collect();
        assert_eq!(places, (0..25).collect::<Vec<_>>());
        for hint in hints {
            let text = hint.to_string();
            assert!(text.len() > 5, "{hint:?}");
            assert!(
                !text.contains("sudo"),
                "{text}: which command, the product says"
            );
        }
    }
}
