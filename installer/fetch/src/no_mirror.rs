//! The error of several mirrors, none of which gave what was asked for.
//!
//! Guarantees: it tells what each mirror did, in order and each cause once; its kind and its hint
//! are those of the worst, so that a refusal is never passed off as a network that is down; for a
//! single source it is that source's own error.

use std::error::Error;
use std::fmt;

use banger_installer_host::Hint;

use super::FetchError;
use crate::error_kind::ErrorKind;
use crate::verify::{KeyringError, ListRefusal, SignatureError, VerifyError};

/// What a mirror can fail of: the errors of this crate that tell their kind and a hint.
pub trait MirrorError: Error + 'static {
    /// For the exit code.
    fn kind(&self) -> ErrorKind;
    /// What to type.
    fn hint(&self) -> Option<Hint>;
    /// Whether the next answer of the same mirror may be another: its publisher may have exchanged
    /// its files between two requests, so that a signature came with what the one before it signs.
    fn may_be_torn(&self) -> bool {
        false
    }
}

/// What a mirror gave could not be fetched, or is not to be believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It did not come.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It came, and is not what it should be.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Its list of signing keys is not to be believed.
    #[error(transparent)]
    List(#[from] ListRefusal),
    /// It has no list of signing keys, and one is wanted.
    #[error(transparent)]
    Keys(#[from] KeyringError),
}

/// No mirror gave what was asked for: what each of them did instead, in order.
#[derive(Debug)]
pub struct NoMirror<E> {
    failures: Box<Failures<E>>,
    /// All of them in words, when there are several.
    told: Option<Told>,
}

#[derive(Debug)]
struct Failures<E> {
    first: (String, E),
    others: Vec<(String, E)>,
}

/// A line for each mirror.
#[derive(Debug)]
struct Told(String);

impl<E: MirrorError> NoMirror<E> {
    pub(super) fn new(first: (String, E), others: Vec<(String, E)>) -> Self {
        let failures = Box::new(Failures { first, others });
        let told = (!failures.others.is_empty()).then(|| Told::all(&failures));
        Self { failures, told }
    }

    /// The error that tells most: the first refusal, else the first of all.
    pub fn most_telling(&self) -> &E {
        let refusal = self
            .each()
            .find(|(_, error)| error.kind() != ErrorKind::Unreachable);
        &refusal.unwrap_or(&self.failures.first).1
    }

    /// See [`NoMirror::most_telling`].
    pub fn into_most_telling(self) -> E {
        let Failures { first, others } = *self.failures;
        let is_refusal = |(_, error): &(String, E)| error.kind() != ErrorKind::Unreachable;
        if is_refusal(&first) {
            return first.1;
        }
        others.into_iter().find(is_refusal).unwrap_or(first).1
    }

    /// Each mirror's place and error, in order.
    pub fn each(&self) -> impl Iterator<Item = &(String, E)> {
        std::iter::once(&self.failures.first).chain(&self.failures.others)
    }

    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        self.most_telling().kind()
    }

    /// What to type.
    pub fn hint(&self) -> Option<Hint> {
        self.most_telling().hint()
    }
}

impl<E: MirrorError> fmt::Display for NoMirror<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failures.others.len() {
            0 => fmt::Display::fmt(&self.failures.first.1, formatter),
            others => write!(
                formatter,
                "none of the {} sources could be used",
                others + 1
            ),
        }
    }
}

impl<E: MirrorError> Error for NoMirror<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.told {
            Some(told) => Some(told),
            None => self.failures.first.1.source(),
        }
    }
}

impl Told {
    fn all<E: MirrorError>(failures: &Failures<E>) -> Self {
        let all = std::iter::once(&failures.first).chain(&failures.others);
        let lines: Vec<String> = all.map(|(place, error)| tell(place, error)).collect();
        Self(lines.join("\n         "))
    }
}

/// An error with its causes in one line; the mirror's place stands in it once.
fn tell(place: &str, error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    if !line.contains(place) {
        line = format!("{place}: {line}");
    }
    for cause in banger_installer_host::causes(error) {
        let text = cause.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
    }
    line
}

impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for Told {}

macro_rules! mirror_errors {
    ($($error:ty),+) => {
        $(impl MirrorError for $error {
            fn kind(&self) -> ErrorKind {
                Self::kind(self)
            }

            fn hint(&self) -> Option<Hint> {
                Self::hint(self)
            }
        })+
    };
}

mirror_errors!(FetchError, VerifyError);

impl MirrorError for Unfit {
    fn kind(&self) -> ErrorKind {
        Self::kind(self)
    }

    fn hint(&self) -> Option<Hint> {
        Self::hint(self)
    }

    fn may_be_torn(&self) -> bool {
        let (Self::Verify(VerifyError::Signature(error))
        | Self::List(ListRefusal::Signature(error))) = self
        else {
            return false;
        };
        // a list from before, and what a key of the list after it signed, tear the same way
        matches!(
            error,
            SignatureError::Mismatch { .. }
                | SignatureError::UnknownKey { .. }
                | SignatureError::TooFew { .. }
        )
    }
}

impl Unfit {
    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        self.advice().0
    }

    /// What would help.
    pub fn hint(&self) -> Option<Hint> {
        self.advice().1
    }

    fn advice(&self) -> (ErrorKind, Option<Hint>) {
        match self {
            Self::Fetch(error) => (error.kind(), error.hint()),
            Self::Verify(error) => (error.kind(), error.hint()),
            Self::List(error) => (error.kind(), error.hint()),
            Self::Keys(error) => (error.kind(), error.hint()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::KeyId;

    const KEY: &str = "6F2A00112233445C";

    #[test]
    fn only_what_a_publication_may_have_torn_apart_is_asked_for_again() {
        let key: KeyId = KEY.parse().unwrap();
        let what = "manifest";
        let torn = [
            SignatureError::Mismatch { what, key },
            SignatureError::UnknownKey {
                what,
                key,
                trusted: Vec::new(),
            },
            SignatureError::TooFew {
                what,
                found: 1,
                needed: 2,
            },
        ];
        for error in torn {
            let shown = error.to_string();
            let error = Unfit::Verify(VerifyError::Signature(error));
            assert!(error.may_be_torn(), "{shown}");
        }
        let list = SignatureError::Mismatch { what, key };
        assert!(Unfit::List(ListRefusal::Signature(list)).may_be_torn());
        let for_ever = [
            SignatureError::Revoked { what, key },
            SignatureError::Legacy { what },
            SignatureError::None { what },
        ];
        for error in for_ever {
            let shown = error.to_string();
            let error = Unfit::Verify(VerifyError::Signature(error));
            assert!(!error.may_be_torn(), "{shown}");
        }
        let absent = FetchError::NoSignature {
            place: "manifest.json.minisig".into(),
        };
        assert!(!Unfit::Fetch(absent).may_be_torn());
    }
}
