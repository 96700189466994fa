//! The names and texts of minisign keys.
//!
//! Format (<https://jedisct1.github.io/minisign/>): both a public key and a signature begin with a
//! two-byte algorithm and an eight-byte key id, little-endian when shown as a number.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Bytes of a public key: algorithm, id, Ed25519 key.
const PUBLIC_KEY_BYTES: usize = 2 + 8 + 32;

/// The id of a minisign key, shown as minisign shows it: 16 upper-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(u64);

impl KeyId {
    /// Reads the id out of the base64 line of a public key or a signature.
    pub fn of_line(base64: &str) -> Option<Self> {
        let bytes = STANDARD.decode(base64.trim()).ok()?;
        let id: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
        Some(Self(u64::from_le_bytes(id)))
    }

    /// The form for a narrow place: `6F2A…91C3`.
    pub fn short(&self) -> String {
        let whole = self.to_string();
        let (head, tail) = (whole.get(..4), whole.get(12..));
        format!("{}…{}", head.unwrap_or(&whole), tail.unwrap_or_default())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016X}", self.0)
    }
}

/// A text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct KeyTextError {
    text: String,
    wanted: &'static str,
}

impl KeyTextError {
    fn new(text: &str, wanted: &'static str) -> Self {
        Self {
            text: text.chars().take(100).collect(),
            wanted,
        }
    }
}

impl FromStr for KeyId {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| KeyTextError::new(text, "a key id of 16 hex digits"))
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyTextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

/// The second line of a minisign `.pub` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKeyText {
    base64: String,
    id: KeyId,
}

impl PublicKeyText {
    /// The key's id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The base64 text.
    pub fn as_str(&self) -> &str {
        &self.base64
    }
}

impl FromStr for PublicKeyText {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        STANDARD
            .decode(text)
            .ok()
            .filter(|bytes| bytes.len() == PUBLIC_KEY_BYTES && bytes.starts_with(b"Ed"))
            .and_then(|_| KeyId::of_line(text))
            .map(|id| Self {
                base64: text.into(),
                id,
            })
            .ok_or_else(|| KeyTextError::new(text, "a minisign public key"))
    }
}

impl TryFrom<String> for PublicKeyText {
    type Error = KeyTextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PublicKeyText> for String {
    fn from(key: PublicKeyText) -> Self {
        key.base64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_shown() {
        let text = "00F2A3B4C5D6E7F8";
        assert_eq!(text.parse::<KeyId>().unwrap().to_string(), text);
        for bad in [
            "",
            "F2A3",
            "00F2A3B4C5D6E7FG",
            "+0F2A3B4C5D6E7F8",
            " 0F2A3B4C5D6E7F8",
        ] {
            assert!(bad.parse::<KeyId>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_public_key_has_its_length_and_its_algorithm() {
        let key = |algorithm: &[u8], length: usize| {
            let mut bytes = algorithm.to_vec();
            bytes.resize(length, 7);
            STANDARD.encode(bytes).parse::<PublicKeyText>()
        };
        assert_eq!(key(b"Ed", 42).unwrap().id().to_string(), "0707070707070707");
        assert!(key(b"ED", 42).is_err());
        assert!(key(b"Ed", 41).is_err());
        assert!(key(b"Ed", 43).is_err());
    }
}
