//! Which keys of a set signed some bytes.
//!
//! Guarantees: only prehashed minisign signatures count; a signature under a name that the set knows
//! and that does not match is an error, whatever stands beside it; one key counts once, however
//! often it signed.

use minisign_verify::{Error as MinisignError, Signature};

use banger_installer_host::Hint;

use super::key_set::KeySet;
use crate::model::KeyId;

/// Signatures in one file, at most.
pub const SIGNATURES_LIMIT: usize = 8;
/// Lines of a signature: comment, signature, trusted comment, signature over both.
const LINES: usize = 4;

/// A signature file that vouches for nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// There is no signature in the file.
    #[error("the signature file of the {what} holds no minisign signature")]
    None {
        /// What should be signed.
        what: &'static str,
    },
    /// More than anyone writes.
    #[error("the signature file of the {what} holds more than {SIGNATURES_LIMIT} signatures")]
    TooMany {
        /// What is signed.
        what: &'static str,
    },
    /// An old-style signature, over the bytes themselves instead of over their hash.
    #[error("the {what} is signed in minisign's legacy format, which is not taken")]
    Legacy {
        /// What is signed.
        what: &'static str,
    },
    /// Signed, but by a stranger.
    #[error("the {what} is signed by key {key}, which is not trusted here")]
    UnknownKey {
        /// What is signed.
        what: &'static str,
        /// The key that the signature names.
        key: KeyId,
        /// The keys that would count.
        trusted: Vec<KeyId>,
    },
    /// A trusted key's name, but not its signature over these bytes.
    #[error("the signature by key {key} does not match the {what}: one of them was changed")]
    Mismatch {
        /// What is signed.
        what: &'static str,
        /// The key that the signature names.
        key: KeyId,
    },
    /// Signed by a key that was revoked.
    #[error("the {what} is signed by key {key}, which was revoked")]
    Revoked {
        /// What is signed.
        what: &'static str,
        /// The key.
        key: KeyId,
    },
    /// Signed by a key that is trusted with something else.
    #[error("the {what} is signed by key {key}, which may sign {may} only")]
    OtherRole {
        /// What is signed.
        what: &'static str,
        /// The key.
        key: KeyId,
        /// What it may sign.
        may: &'static str,
    },
    /// Good signatures, but too few.
    #[error("the {what} is signed by {found} of the keys that count; {needed} are needed")]
    TooFew {
        /// What is signed.
        what: &'static str,
        /// Keys that signed.
        found: usize,
        /// Keys that must.
        needed: usize,
    },
}

impl SignatureError {
    /// What to type, or whom to ask.
    pub fn hint(&self) -> Hint {
        match self {
            Self::None { .. } | Self::Legacy { .. } | Self::TooMany { .. } => Hint::SignAgain,
            Self::UnknownKey { trusted, .. } => Hint::TrustKey {
                trusted: trusted.iter().map(ToString::to_string).collect(),
            },
            Self::Mismatch { .. } => {
                "fetch it again; if it stays so, do not use this source".into()
            }
            Self::Revoked { .. } => {
                "do not use this source: its publisher has taken trust from that key".into()
            }
            Self::OtherRole { .. } | Self::TooFew { .. } => {
                "do not use this release; tell its publisher".into()
            }
        }
    }
}

/// What is signed, and by whom it may be.
pub(super) struct Question<'a> {
    /// In the words of messages.
    pub(super) what: &'static str,
    /// The keys that count.
    pub(super) keys: &'a KeySet,
    /// How many of them must have signed.
    pub(super) needed: usize,
    /// Keys of which one is enough.
    pub(super) sufficient: &'a KeySet,
    /// Keys that are trusted with something else, and with what.
    pub(super) others: (&'a KeySet, &'static str),
    /// Keys that are expired.
    pub(super) revoked: &'a [KeyId],
}

impl Question<'_> {
    /// The keys that signed, at least one.
    pub(super) fn signers(&self, bytes: &[u8], text: &str) -> Result<Vec<KeyId>, SignatureError> {
        let what = self.what;
        let mut signers = Vec::new();
        let mut enough = false;
        let mut turned_away = None;
        for (key, signature) in parse(text, what)? {
            if self.revoked.contains(&key) {
                turned_away.get_or_insert(SignatureError::Revoked { what, key });
            } else if let Some(sufficient) = self.judge(bytes, key, &signature)? {
                enough |= sufficient;
                if !signers.contains(&key) {
                    signers.push(key);
                }
            } else {
                turned_away.get_or_insert_with(|| self.stranger(key));
            }
        }
        if signers.is_empty() {
            return Err(turned_away.unwrap_or(SignatureError::None { what }));
        }
        if !enough && signers.len() < self.needed {
            return Err(SignatureError::TooFew {
                what,
                found: signers.len(),
                needed: self.needed,
            });
        }
        Ok(signers)
    }

    /// None for a key that does not count; else whether it is enough alone.
    fn judge(
        &self,
        bytes: &[u8],
        key: KeyId,
        signature: &Signature,
    ) -> Result<Option<bool>, SignatureError> {
        let what = self.what;
        let mut known = false;
        for (keys, sufficient) in [(self.sufficient, true), (self.keys, false)] {
            // ids are 64 bits that anyone can choose, so there may be several
            for candidate in keys.with_id(key) {
                known = true;
                match candidate.verify(bytes, signature, false) {
                    Ok(()) => return Ok(Some(sufficient)),
                    Err(MinisignError::UnexpectedAlgorithm) => {
                        return Err(SignatureError::Legacy { what });
                    }
                    Err(_) => {}
                }
            }
        }
        if known {
            return Err(SignatureError::Mismatch { what, key });
        }
        Ok(None)
    }

    fn stranger(&self, key: KeyId) -> SignatureError {
        let what = self.what;
        let (others, may) = self.others;
        if others.has(key) {
            return SignatureError::OtherRole { what, key, may };
        }
        SignatureError::UnknownKey {
            what,
            key,
            trusted: self.sufficient.ids().chain(self.keys.ids()).collect(),
        }
    }
}

/// One signature after another, each the four lines that minisign writes.
fn parse(text: &str, what: &'static str) -> Result<Vec<(KeyId, Signature)>, SignatureError> {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    if lines.len() > SIGNATURES_LIMIT * LINES {
        return Err(SignatureError::TooMany { what });
    }
    lines
        .chunks(LINES)
        .map(|lines| {
            let key = lines.get(1).copied().and_then(KeyId::of_line)?;
            let signature = Signature::decode(&lines.join("\n")).ok()?;
            Some((key, signature))
        })
        .collect::<Option<Vec<_>>>()
        .filter(|signatures| !signatures.is_empty())
        .ok_or(SignatureError::None { what })
}
