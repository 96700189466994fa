//! The rules by which a list of signing keys is taken or refused.

use banger_installer_host::{Format, Hint};
use jiff::Timestamp;

use super::SignatureError;
use crate::error_kind::ErrorKind;
use crate::model::{KeyList, KeyListError};

/// What a list has to agree with.
#[derive(Debug, Clone)]
pub struct ListExpectation {
    /// The product that is installed.
    pub product: String,
    /// What the clock says.
    pub now: Timestamp,
    /// A time that has certainly passed.
    pub clock_floor: Option<Timestamp>,
}

/// A list that is refused. Each says which rule it broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListRefusal {
    /// Too few, or the wrong ones, vouch for it.
    #[error(transparent)]
    Signature(SignatureError),
    /// Signed bytes that are no list.
    #[error("the list of keys cannot be read")]
    List(#[source] KeyListError),
    /// Another product.
    #[error("the list of keys is of {found:?}, not of {expected:?}")]
    OtherProduct {
        /// The list's.
        found: String,
        /// Ours.
        expected: String,
    },
    /// Too old to count.
    #[error("the list of keys expired at {expires}; it is {now}")]
    Expired {
        /// When it expired.
        expires: Timestamp,
        /// The time it was held against.
        now: Timestamp,
    },
    /// An older list than one seen before.
    #[error("the list of keys is older than what was seen here: sequence {found}, seen {known}")]
    Rollback {
        /// The list's sequence number.
        found: u64,
        /// That of the list that was seen.
        known: u64,
    },
    /// Two lists under one number.
    #[error("there are two different lists of keys with sequence {sequence}")]
    Fork {
        /// The number of both.
        sequence: u64,
    },
}

impl ListRefusal {
    /// What to type, or whom to ask.
    pub fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::Signature(cause) => cause.hint(),
            Self::List(_) => Hint::TooOldFor {
                format: Format::KeyList,
            },
            Self::OtherProduct { .. } => Hint::CheckSource,
            Self::Expired { .. } => {
                "if the clock is right (date), the source is out of date: ask who runs it".into()
            }
            Self::Rollback { .. } | Self::Fork { .. } => {
                "the source offers an old list: ask who runs it".into()
            }
        })
    }

    /// For the exit code.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Refused
    }
}

/// Holds a list whose signatures are good against what is known.
pub(super) fn check(
    list: &KeyList,
    known: Option<&KeyList>,
    expectation: &ListExpectation,
) -> Result<(), ListRefusal> {
    if list.product != expectation.product {
        return Err(ListRefusal::OtherProduct {
            found: list.product.clone(),
            expected: expectation.product.clone(),
        });
    }
    if let Some(known) = known {
        if list.sequence < known.sequence {
            return Err(ListRefusal::Rollback {
                found: list.sequence,
                known: known.sequence,
            });
        }
        if list.sequence == known.sequence && list != known {
            return Err(ListRefusal::Fork {
                sequence: list.sequence,
            });
        }
    }
    let now = expectation
        .now
        .max(expectation.clock_floor.unwrap_or(expectation.now));
    if list.expires <= now {
        return Err(ListRefusal::Expired {
            expires: list.expires,
            now,
        });
    }
    Ok(())
}
