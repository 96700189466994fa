//! minisign keys and signatures, as far as telling them apart needs more than the library gives.
//!
//! Format (<https://jedisct1.github.io/minisign/>): both a public key and a signature begin with a
//! two-byte algorithm and an eight-byte key id, little-endian when shown as a number.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The id of a minisign key, shown as minisign shows it: 16 upper-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// Reads the id out of the base64 line of a public key or a signature.
    pub(super) fn of_line(base64: &str) -> Option<Self> {
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
