//! The memory against old releases, and what a rotation of keys does to it.
//!
//! Guarantees: the number to hold a manifest against only ever grows, until the keys that signed the
//! highest one are no longer trusted. Then that number was maybe a thief's, and is revoked: the
//! answer to the fast-forward attack (threat model of The Update Framework,
//! <https://theupdateframework.io/security/>).

use jiff::Timestamp;

use super::{Keyring, Verified};
use crate::model::{AntiRollbackState, Manifest, Receipt, SeenRelease};

/// What a manifest is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// The highest sequence number; 0 when there is none.
    pub sequence: u64,
    /// The latest `released`.
    pub released: Option<Timestamp>,
}

impl Memory {
    /// What is remembered of a channel. A host whose versions kept no such record has its receipt.
    pub fn of(
        channel: &str,
        seen: &AntiRollbackState,
        receipt: Option<&Receipt>,
        keyring: &Keyring,
    ) -> Self {
        match seen.channels.get(channel) {
            Some(seen) if keyring.still_trusts(&seen.signed_by) => Self {
                sequence: seen.sequence,
                released: Some(seen.released),
            },
            Some(_) => Self::default(),
            None => receipt
                .filter(|receipt| receipt.channel == channel)
                .map_or_else(Self::default, |receipt| Self {
                    sequence: receipt.highest_sequence,
                    released: receipt.latest_released,
                }),
        }
    }
}

/// The record after a manifest was believed; none when it says nothing new.
pub(super) fn record(
    seen: &AntiRollbackState,
    memory: &Memory,
    manifest: &Verified<Manifest>,
) -> Option<AntiRollbackState> {
    let newer = manifest.sequence > memory.sequence;
    let now = SeenRelease {
        sequence: manifest.sequence.max(memory.sequence),
        released: memory.released.map_or(manifest.released, |released| {
            released.max(manifest.released)
        }),
        signed_by: match seen.channels.get(&manifest.channel) {
            Some(before) if !newer => before.signed_by.clone(),
            _ => manifest.signed_by().to_vec(),
        },
    };
    if seen.channels.get(&manifest.channel) == Some(&now) {
        return None;
    }
    let mut seen = seen.clone();
    seen.channels.insert(manifest.channel.clone(), now);
    Some(seen)
}
