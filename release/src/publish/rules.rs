//! What may follow what in a published folder.
//!
//! Guarantees: pure.

use banger_installer_trust::model::{Digest, KeyList, Manifest};

use super::PublishError;
use crate::key::SignedList;
use crate::sums::Sums;

/// A release that is to be published.
pub(super) struct Offer {
    pub(super) manifest: Manifest,
    /// The manifest's bytes.
    pub(super) bytes: Vec<u8>,
    /// The text of its signature file.
    pub(super) signature: String,
    /// The files beside it: names, and what their digests must be.
    pub(super) files: Vec<(String, Digest)>,
}

/// What a channel's folder holds.
#[derive(Default)]
pub(super) struct Standing {
    /// The bytes of its manifest.
    pub(super) manifest: Option<Vec<u8>>,
    pub(super) sums: Sums,
    /// Its list of keys, bytes and meaning.
    pub(super) keys: Option<(Vec<u8>, KeyList)>,
}

/// May this be published over that?
pub(super) fn decide(
    standing: &Standing,
    offer: &Offer,
    keys: Option<&SignedList>,
) -> Result<(), PublishError> {
    // a published manifest that cannot be read serves nobody, and may be replaced
    let published = standing
        .manifest
        .as_deref()
        .and_then(|bytes| Some((bytes, Manifest::from_json(bytes).ok()?)));
    if let Some((bytes, manifest)) = published {
        let numbers = (offer.manifest.sequence, manifest.sequence);
        follows("manifest", numbers, offer.bytes == bytes)?;
    }
    for (name, digest) in &offer.files {
        if standing
            .sums
            .get(name)
            .is_some_and(|other| other != *digest)
        {
            return Err(PublishError::OtherBytes { name: name.clone() });
        }
    }
    if let (Some(keys), Some((bytes, list))) = (keys, &standing.keys) {
        let numbers = (keys.list.sequence, list.sequence);
        follows("list of keys", numbers, keys.bytes == *bytes)?;
    }
    Ok(())
}

/// A number names one thing, and the things come in the order of their numbers.
fn follows(
    what: &'static str,
    (offered, published): (u64, u64),
    same: bool,
) -> Result<(), PublishError> {
    if offered < published {
        return Err(PublishError::LowerSequence {
            what,
            offered,
            published,
        });
    }
    if offered == published && !same {
        return Err(PublishError::SameSequence {
            what,
            sequence: offered,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_grows_or_names_the_same_bytes() {
        assert!(follows("manifest", (2, 1), false).is_ok());
        assert!(follows("manifest", (1, 1), true).is_ok());
        assert!(matches!(
            follows("manifest", (1, 1), false),
            Err(PublishError::SameSequence { sequence: 1, .. })
        ));
        assert!(matches!(
            follows("manifest", (1, 2), true),
            Err(PublishError::LowerSequence {
                offered: 1,
                published: 2,
                ..
            })
        ));
    }
}
