//! Whose signatures count, and for what.
//!
//! Guarantees: root keys vouch for lists of keys and for nothing else; with root keys, signing keys
//! come from a list that they signed; the administrator's own keys count by themselves; a key that a
//! list revokes counts nowhere; a ring in which nobody could sign cannot be made.

use std::path::Path;

use super::key_set::KeySet;
pub use super::key_set::KeyringError;
use super::signature::{Question, SignatureError};
use super::{ListExpectation, ListRefusal, Verified, key_list};
use crate::model::{KeyId, KeyList};

/// What was compiled into the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuiltInKeys<'a> {
    /// Root keys: base64 public keys between white space or commas.
    pub roots: &'a str,
    /// How many of them must sign a list; empty for 1.
    pub root_threshold: &'a str,
    /// Signing keys, for a program without root keys.
    pub signing: &'a str,
}

/// The keys that were decided on this machine, before any list.
#[derive(Debug, Clone)]
pub struct Pinned {
    roots: KeySet,
    root_threshold: usize,
    signing: KeySet,
    own: KeySet,
}

/// The keys that may sign manifests.
#[derive(Debug, Clone)]
pub struct Keyring {
    own: KeySet,
    signing: KeySet,
    threshold: usize,
    roots: KeySet,
    revoked: Vec<KeyId>,
}

impl Pinned {
    /// The built-in keys, the administrator's root keys in `roots` and own keys in `keys`, folders
    /// of `*.pub` files that `required_uid` (root) alone can write. A missing folder is empty.
    ///
    /// # Errors
    /// [`KeyringError`], when a key cannot be read or trusted, or there is none.
    pub fn load(
        built_in: &BuiltInKeys<'_>,
        keys: &Path,
        roots: &Path,
        required_uid: u32,
    ) -> Result<Self, KeyringError> {
        let built_in_roots = KeySet::built_in(built_in.roots)?;
        let root_threshold = threshold(built_in.root_threshold, built_in_roots.len())?;
        let pinned = Self {
            roots: built_in_roots.and(KeySet::in_folder(roots, required_uid)?),
            root_threshold,
            signing: KeySet::built_in(built_in.signing)?,
            own: KeySet::in_folder(keys, required_uid)?,
        };
        if pinned.roots.is_empty() && pinned.signing.is_empty() && pinned.own.is_empty() {
            return Err(KeyringError::Empty {
                folder: keys.into(),
            });
        }
        Ok(pinned)
    }

    /// Whether signing keys come from a list.
    pub fn wants_list(&self) -> bool {
        !self.roots.is_empty()
    }

    /// Takes or refuses a list of keys with the text of its signature file. `known` is the list
    /// that counted until now: what it revokes cannot sign the next one.
    ///
    /// # Errors
    /// [`ListRefusal`], naming the first rule that is broken.
    pub fn verify_list(
        &self,
        bytes: &[u8],
        signature: &str,
        known: Option<&Verified<KeyList>>,
        expectation: &ListExpectation,
    ) -> Result<Verified<KeyList>, ListRefusal> {
        let revoked = known.map_or(&[][..], |list| &list.revoked);
        let signers = self
            .list_signers(bytes, signature, revoked)
            .map_err(ListRefusal::Signature)?;
        let list = KeyList::from_json(bytes).map_err(ListRefusal::List)?;
        key_list::check(&list, known.map(|list| &**list), expectation)?;
        Ok(Verified {
            value: list,
            bytes: bytes.to_vec(),
            signature: signature.into(),
            signed_by: signers,
        })
    }

    /// A list that was believed before, from this machine's own record. None when these root keys
    /// did not sign it: a program with other root keys begins anew. It may have expired since.
    pub(super) fn recall_list(&self, bytes: &[u8], signature: &str) -> Option<Verified<KeyList>> {
        let signers = self.list_signers(bytes, signature, &[]).ok()?;
        Some(Verified {
            value: KeyList::from_json(bytes).ok()?,
            bytes: bytes.to_vec(),
            signature: signature.into(),
            signed_by: signers,
        })
    }

    fn list_signers(
        &self,
        bytes: &[u8],
        signature: &str,
        revoked: &[KeyId],
    ) -> Result<Vec<KeyId>, SignatureError> {
        let question = Question {
            what: "list of keys",
            keys: &self.roots,
            needed: self.root_threshold,
            sufficient: &KeySet::default(),
            others: (&self.own.clone().and(self.signing.clone()), "manifests"),
            revoked,
        };
        question.signers(bytes, signature)
    }

    /// The ring that follows from these keys and a list.
    ///
    /// # Errors
    /// [`KeyringError::NoList`] when a list is wanted and there is none, nor a key of the
    /// administrator's own.
    pub fn keyring(&self, list: Option<&Verified<KeyList>>) -> Result<Keyring, KeyringError> {
        if !self.wants_list() {
            return Ok(Keyring {
                own: self.own.clone(),
                signing: self.signing.clone(),
                threshold: 1,
                roots: KeySet::default(),
                revoked: Vec::new(),
            });
        }
        if list.is_none() && self.own.is_empty() {
            return Err(KeyringError::NoList);
        }
        let revoked = list.map_or_else(Vec::new, |list| list.revoked.clone());
        Ok(Keyring {
            own: self.own.without(&revoked),
            signing: list.map_or_else(KeySet::default, |list| KeySet::listed(&list.keys)),
            threshold: list.map_or(1, |list| list.threshold),
            roots: self.roots.clone(),
            revoked,
        })
    }
}

impl Keyring {
    /// The ring of a machine without root keys: the built-in keys (base64 between white space or
    /// commas) and those of the `*.pub` files in `folder`.
    ///
    /// # Errors
    /// [`KeyringError`], when a key cannot be read or trusted, or there is none.
    pub fn load(built_in: &str, folder: &Path, required_uid: u32) -> Result<Self, KeyringError> {
        let built_in = BuiltInKeys {
            signing: built_in,
            ..BuiltInKeys::default()
        };
        Pinned::load(&built_in, folder, Path::new(""), required_uid)?.keyring(None)
    }

    /// The ids of all keys that may sign a manifest.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        let others = self.signing.ids().filter(|id| !self.own.has(*id));
        self.own.ids().chain(others)
    }

    /// Whether what these keys signed would still be believed. Of no keys at all nothing is known,
    /// and that counts as yes.
    pub fn still_trusts(&self, keys: &[KeyId]) -> bool {
        let of = |set: &KeySet| keys.iter().filter(|key| set.has(**key)).count();
        keys.is_empty() || of(&self.own) > 0 || of(&self.signing) >= self.threshold
    }

    /// The keys that signed a manifest.
    pub(super) fn signers(&self, bytes: &[u8], text: &str) -> Result<Vec<KeyId>, SignatureError> {
        let question = Question {
            what: "manifest",
            keys: &self.signing,
            needed: self.threshold,
            sufficient: &self.own,
            others: (&self.roots, "lists of keys"),
            revoked: &self.revoked,
        };
        question.signers(bytes, text)
    }
}

fn threshold(text: &str, roots: usize) -> Result<usize, KeyringError> {
    if text.is_empty() {
        return Ok(1);
    }
    text.parse()
        .ok()
        .filter(|needed| (1..=roots).contains(needed))
        .ok_or_else(|| KeyringError::Threshold {
            text: text.chars().take(100).collect(),
            roots,
        })
}
