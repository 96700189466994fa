//! One client's judgement of what a source offers: pinned keys, memory, and the list between them.
//!
//! Guarantees: a list of keys is judged before a manifest, and a manifest by the list that was just
//! judged; what is to be remembered is a value, and writing it down is the caller's.

use super::{
    Expectation, Keyring, KeyringError, ListExpectation, ListRefusal, Memory, Pinned, Verified,
    key_list, seen,
};
use crate::model::{AntiRollbackState, KeyList, Manifest, Receipt, SignedText};

/// What a client believes, and what it remembers.
#[derive(Debug, Clone)]
pub struct Trust {
    pinned: Pinned,
    seen: AntiRollbackState,
    list: Option<Verified<KeyList>>,
}

impl Trust {
    /// From the keys of this machine and its record, whose list is checked again.
    pub fn new(pinned: Pinned, seen: AntiRollbackState) -> Self {
        let list = seen
            .keys
            .as_ref()
            .and_then(|keys| pinned.recall_list(keys.text.as_bytes(), &keys.signature));
        Self { pinned, seen, list }
    }

    /// Whether signing keys come from a list.
    pub fn wants_list(&self) -> bool {
        self.pinned.wants_list()
    }

    /// Takes the list that a source offers, bytes and signature file; without one, the list that is
    /// known must still hold.
    ///
    /// # Errors
    /// [`ListRefusal`]; what was believed before is believed still.
    pub fn take_list(
        &mut self,
        offered: Option<(&[u8], &str)>,
        expectation: &ListExpectation,
    ) -> Result<(), ListRefusal> {
        let known = self.list.as_ref();
        if let Some((bytes, signature)) = offered {
            let list = self
                .pinned
                .verify_list(bytes, signature, known, expectation)?;
            self.list = Some(list);
        } else if let Some(known) = known {
            key_list::check(known, None, expectation)?;
        }
        Ok(())
    }

    /// The keys that may sign manifests.
    ///
    /// # Errors
    /// [`KeyringError::NoList`].
    pub fn keyring(&self) -> Result<Keyring, KeyringError> {
        self.pinned.keyring(self.list.as_ref())
    }

    /// What a manifest of a channel is held against.
    pub fn memory(&self, channel: &str, receipt: Option<&Receipt>, keyring: &Keyring) -> Memory {
        Memory::of(channel, &self.seen, receipt, keyring)
    }

    /// The list that is believed, where the record does not hold it yet. To be written down at once: it
    /// tells of revoked keys, whatever becomes of the manifest that came with it.
    pub fn list_to_remember(&self) -> Option<SignedText> {
        let list = self.list.as_ref()?;
        let text = SignedText {
            text: String::from_utf8_lossy(list.bytes()).into_owned(),
            signature: list.signature().into(),
        };
        (self.seen.keys.as_ref() != Some(&text)).then_some(text)
    }

    /// The record after a manifest was believed; none when there is nothing new to write down.
    pub fn record(
        &self,
        memory: &Memory,
        manifest: &Verified<Manifest>,
    ) -> Option<AntiRollbackState> {
        let mut next = seen::record(&self.seen, memory, manifest).unwrap_or(self.seen.clone());
        if let Some(keys) = self.list_to_remember() {
            next.keys = Some(keys);
        }
        (next != self.seen).then_some(next)
    }
}

impl Expectation {
    /// The same, held against what is remembered. `built` is when the program was made: no clock is
    /// right that shows an earlier time.
    #[must_use]
    pub fn remembering(self, memory: &Memory, built: Option<jiff::Timestamp>) -> Self {
        Self {
            highest_sequence: memory.sequence,
            clock_floor: memory.released.max(built),
            ..self
        }
    }
}
