//! The list of signing keys, which root keys sign (`RELEASES.md`).
//!
//! It is the way by which signing keys are exchanged without a new program. Whether to believe a
//! list is for [`crate`] to say.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{KeyId, PublicKeyText};

/// The schema that this code writes and reads.
pub const KEY_LIST_SCHEMA: u32 = 1;
/// More keys than a list ever holds, and more than it ever revokes.
const KEYS_LIMIT: usize = 64;

/// The contents of `keys.json`, checked for form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyList {
    /// [`KEY_LIST_SCHEMA`].
    pub schema: u32,
    /// The product's name.
    pub product: String,
    /// Grows with every list that is signed.
    pub sequence: u64,
    /// When it was made.
    pub released: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// How many of `keys` must sign a manifest; 1 to their number.
    pub threshold: usize,
    /// The keys that sign manifests; ids unique.
    pub keys: Vec<PublicKeyText>,
    /// Keys that are expired, signing or root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<KeyId>,
}

/// Bytes that are no list.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyListError {
    /// Not JSON of the list's shape.
    #[error("the list of keys is not the JSON that it must be")]
    Shape(#[source] serde_json::Error),
    /// Written by a later version of the format.
    #[error("the list of keys has schema {found}; this program reads schema {KEY_LIST_SCHEMA}")]
    Schema {
        /// The schema that it names.
        found: u32,
    },
    /// Its values cannot stand together.
    #[error("the list of keys {why}")]
    Value {
        /// What is wrong.
        why: String,
    },
}

impl KeyList {
    /// Parses the bytes of `keys.json`.
    ///
    /// # Errors
    /// [`KeyListError`], when the bytes are not a list of our schema or its values cannot stand.
    pub fn from_json(bytes: &[u8]) -> Result<Self, KeyListError> {
        let list: Self = super::read_document(
            bytes,
            KEY_LIST_SCHEMA..=KEY_LIST_SCHEMA,
            KeyListError::Shape,
            |found| KeyListError::Schema { found },
        )?;
        list.check()?;
        Ok(list)
    }

    /// The bytes of `keys.json`: pretty JSON with a final newline.
    ///
    /// # Errors
    /// [`KeyListError`], when its values cannot stand.
    pub fn to_json(&self) -> Result<Vec<u8>, KeyListError> {
        self.check()?;
        super::write_document(self).map_err(KeyListError::Shape)
    }

    fn check(&self) -> Result<(), KeyListError> {
        let refused = |why: String| Err(KeyListError::Value { why });
        if self.expires <= self.released {
            return refused("expires before it is released".into());
        }
        if self.keys.len() > KEYS_LIMIT || self.revoked.len() > KEYS_LIMIT {
            return refused(format!("names more than {KEYS_LIMIT} keys"));
        }
        if self.threshold == 0 || self.threshold > self.keys.len() {
            return refused(format!(
                "wants {} signatures of {} keys",
                self.threshold,
                self.keys.len()
            ));
        }
        for (index, key) in self.keys.iter().enumerate() {
            let id = key.id();
            if self
                .keys
                .iter()
                .skip(index + 1)
                .any(|other| other.id() == id)
            {
                return refused(format!("names key {id} twice"));
            }
            if self.revoked.contains(&id) {
                return refused(format!("both names and revokes key {id}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    fn key(byte: u8) -> PublicKeyText {
        let mut bytes = b"Ed".to_vec();
        bytes.resize(42, byte);
        base64::engine::general_purpose::STANDARD
            .encode(bytes)
            .parse()
            .unwrap()
    }

    fn list() -> KeyList {
        KeyList {
            schema: KEY_LIST_SCHEMA,
            product: "acme".into(),
            sequence: 3,
            released: "2026-11-23T12:00:00Z".parse().unwrap(),
            expires: "2027-11-23T12:00:00Z".parse().unwrap(),
            threshold: 2,
            keys: vec![key(1), key(2), key(3)],
            revoked: vec![key(9).id()],
        }
    }

    #[test]
    fn bytes_and_back() {
        let bytes = list().to_json().unwrap();
        assert_eq!(KeyList::from_json(&bytes).unwrap(), list());
    }

    #[test]
    fn values_that_cannot_stand_together_are_refused_on_both_ways() {
        type Case = (fn(&mut KeyList), &'static str);
        let cases: [Case; 6] = [
            (|list| list.threshold = 0, "0 signatures"),
            (|list| list.threshold = 4, "4 signatures of 3 keys"),
            (|list| list.expires = list.released, "expires"),
            (|list| list.keys[2] = key(1), "twice"),
            (
                |list| list.revoked = vec![key(2).id()],
                "both names and revokes",
            ),
            (|list| list.revoked = vec![key(9).id(); 65], "more than 64"),
        ];
        for (spoil, what) in cases {
            let mut spoilt = list();
            spoil(&mut spoilt);
            let error = spoilt.to_json().unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
            let bytes = serde_json::to_vec(&spoilt).unwrap();
            let error = KeyList::from_json(&bytes).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[test]
    fn a_later_schema_is_named_whatever_its_shape() {
        let error = KeyList::from_json(br#"{"schema": 2, "keys": 7}"#).unwrap_err();
        assert!(
            matches!(error, KeyListError::Schema { found: 2 }),
            "{error}"
        );
    }
}
