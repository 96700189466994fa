//! The list of signing keys: made, changed, signed.
//!
//! Guarantees: what becomes of a list is decided without IO; each change has a higher sequence, new
//! dates and no signature but those it is written with; a list is signed only by keys that it does
//! not name for signing manifests. The digest of the list stands in each signature's trusted comment,
//! so that whoever adds a signature sees that the others were made over the same list.

use std::path::{Path, PathBuf};

use banger_installer_fetch::SIGNATURE_SUFFIX;
use banger_installer_trust::SIGNATURES_LIMIT;
use banger_installer_trust::model::{KEY_LIST_SCHEMA, KeyId, KeyList, PublicKeyText};
use jiff::{SignedDuration, Timestamp};

use super::SigningKey;
use super::signature::{sign_all, split_signatures};
use crate::sums::digest;
use crate::whole_file::{IfThere, write};
use crate::{ReleaseError, default_sequence};

/// A change of a list.
#[derive(Debug, Clone, Default)]
pub struct ListChange {
    /// Keys that sign from now on.
    pub add: Vec<PublicKeyText>,
    /// Keys that sign no more, and are not held against anyone.
    pub retire: Vec<KeyId>,
    /// Keys that are expired, signing or root.
    pub revoke: Vec<KeyId>,
    /// How many must sign; as before when missing, 1 in a new list.
    pub threshold: Option<usize>,
}

/// A change that a list does not bear.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A key to add stands there.
    #[error("key {id} is in the list")]
    There {
        /// The key.
        id: KeyId,
    },
    /// A key to add was revoked.
    #[error("key {id} is revoked; that is for ever")]
    Revoked {
        /// The key.
        id: KeyId,
    },
    /// A key to retire is not there.
    #[error("key {id} is not in the list; it has {}", words(listed))]
    NotThere {
        /// The key.
        id: KeyId,
        /// What is in the list.
        listed: Vec<KeyId>,
    },
    /// The expiry is no time.
    #[error("{days} days from now is not a time")]
    Expiry {
        /// Days.
        days: u32,
    },
    /// A root key among the signing keys: a stolen one could do everything.
    #[error("key {id} signs the list and cannot sign releases, too")]
    RootSignsReleases {
        /// The key.
        id: KeyId,
    },
}

impl ListError {
    /// What to type.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Revoked { .. } => Some("make another key: banger-release key make".into()),
            Self::RootSignsReleases { .. } => {
                Some("give a root key that is kept for lists of keys alone".into())
            }
            Self::There { .. } | Self::NotThere { .. } => {
                Some("look at it with: banger-release key show LIST".into())
            }
            Self::Expiry { .. } => None,
        }
    }
}

/// A list and its signature file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedList {
    /// Where the list lies; the signatures lie at the same path with `.minisig`.
    pub path: PathBuf,
    /// The bytes of the list.
    pub bytes: Vec<u8>,
    /// What they say.
    pub list: KeyList,
    /// The text of the signature file; empty when there is none.
    pub signatures: String,
}

/// A list that has no forerunner.
///
/// # Errors
/// [`ListError`].
pub fn new_list(
    product: &str,
    change: &ListChange,
    days: u32,
    now: Timestamp,
) -> Result<KeyList, ListError> {
    let empty = KeyList {
        schema: KEY_LIST_SCHEMA,
        product: product.into(),
        sequence: 0,
        released: now,
        expires: now,
        threshold: 1,
        keys: Vec::new(),
        revoked: Vec::new(),
    };
    change_list(&empty, change, days, now)
}

/// The list that follows another. Its sequence number is in seconds since 2020, like a manifest's,
/// so that a list which was lost and made anew is still higher.
///
/// # Errors
/// [`ListError`].
pub fn change_list(
    list: &KeyList,
    change: &ListChange,
    days: u32,
    now: Timestamp,
) -> Result<KeyList, ListError> {
    let mut next = list.clone();
    for id in change.retire.iter().chain(&change.revoke) {
        let retired_only = change.retire.contains(id);
        if retired_only && !next.keys.iter().any(|key| key.id() == *id) {
            let listed = next.keys.iter().map(PublicKeyText::id).collect();
            return Err(ListError::NotThere { id: *id, listed });
        }
        next.keys.retain(|key| key.id() != *id);
    }
    for id in &change.revoke {
        if next.revoked.contains(id) {
            return Err(ListError::Revoked { id: *id });
        }
        next.revoked.push(*id);
    }
    for key in &change.add {
        if next.revoked.contains(&key.id()) {
            return Err(ListError::Revoked { id: key.id() });
        }
        if next.keys.iter().any(|other| other.id() == key.id()) {
            return Err(ListError::There { id: key.id() });
        }
        next.keys.push(key.clone());
    }
    next.threshold = change.threshold.unwrap_or(list.threshold);
    next.sequence = default_sequence(now).max(list.sequence + 1);
    // whole seconds: what is shown is what is compared
    next.released = Timestamp::from_second(now.as_second()).unwrap_or(now);
    next.expires = next
        .released
        .checked_add(SignedDuration::from_hours(24 * i64::from(days)))
        .map_err(|_| ListError::Expiry { days })?;
    Ok(next)
}

impl SignedList {
    /// Signs a list; nothing is written yet.
    ///
    /// # Errors
    /// [`ReleaseError`], when the list cannot stand, or a key signs that it names.
    pub fn sign(path: &Path, list: KeyList, roots: &[SigningKey]) -> Result<Self, ReleaseError> {
        let bytes = list.to_json().map_err(ReleaseError::KeyList)?;
        for root in roots {
            not_named(&list, root)?;
        }
        let signatures = sign_all(roots, &bytes, &comment(&list, &bytes))?;
        Ok(Self {
            path: path.into(),
            bytes,
            list,
            signatures,
        })
    }

    /// Reads a list and what there is of signatures.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn read(path: &Path) -> Result<Self, ReleaseError> {
        let bytes = fs_err::read(path).map_err(ReleaseError::read(path))?;
        let list = KeyList::from_json(&bytes).map_err(ReleaseError::KeyList)?;
        let beside = signature_path(path);
        let signatures = match fs_err::read_to_string(&beside) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(ReleaseError::read(&beside)(error)),
        };
        Ok(Self {
            path: path.into(),
            bytes,
            list,
            signatures,
        })
    }

    /// The keys that the signatures name.
    pub fn signers(&self) -> Vec<KeyId> {
        let split = split_signatures(&self.signatures);
        split.into_iter().map(|(id, _)| id).collect()
    }

    /// Where its signatures lie.
    pub fn signature_path(&self) -> PathBuf {
        signature_path(&self.path)
    }

    /// Writes the list, then its signatures. Between the two the signatures beside it are another
    /// list's, which [`add_signature`] sees.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn write(&self, new: bool) -> Result<(), ReleaseError> {
        let if_there = if new {
            IfThere::Refuse
        } else {
            IfThere::Replace
        };
        write(&self.path, &self.bytes, 0o644, if_there)?;
        write(
            &self.signature_path(),
            self.signatures.as_bytes(),
            0o644,
            IfThere::Replace,
        )
    }
}

/// Adds the signature of one more root key to a list; nothing is written yet.
///
/// # Errors
/// [`ReleaseError`], when the key has signed it, or another signature is over another list.
pub fn add_signature(list: &SignedList, root: &SigningKey) -> Result<SignedList, ReleaseError> {
    not_named(&list.list, root)?;
    let comment = comment(&list.list, &list.bytes);
    let split = split_signatures(&list.signatures);
    for (id, text) in &split {
        if text.lines().nth(2) != Some(&format!("trusted comment: {comment}")) {
            return Err(ReleaseError::ListChanged {
                path: list.path.clone(),
                id: *id,
            });
        }
        if *id == root.id() {
            return Err(ReleaseError::SignedAlready { id: *id });
        }
    }
    if split.len() >= SIGNATURES_LIMIT {
        return Err(ReleaseError::HowManyKeys {
            count: split.len() + 1,
        });
    }
    let mut signed = list.clone();
    signed.signatures = split.into_iter().map(|(_, text)| text).collect();
    signed.signatures += &sign_all(std::slice::from_ref(root), &list.bytes, &comment)?;
    Ok(signed)
}

fn not_named(list: &KeyList, root: &SigningKey) -> Result<(), ReleaseError> {
    let id = root.id();
    if list.keys.iter().any(|key| key.id() == id) {
        return Err(ListError::RootSignsReleases { id }.into());
    }
    if list.revoked.contains(&id) {
        return Err(ListError::Revoked { id }.into());
    }
    Ok(())
}

fn comment(list: &KeyList, bytes: &[u8]) -> String {
    format!(
        "{} keys sequence {} {}",
        list.product,
        list.sequence,
        digest(bytes)
    )
}

fn signature_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SIGNATURE_SUFFIX);
    name.into()
}

fn words(ids: &[KeyId]) -> String {
    let words: Vec<String> = ids.iter().map(ToString::to_string).collect();
    words.join(", ")
}
