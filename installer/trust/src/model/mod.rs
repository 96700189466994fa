//! The nouns of a release: data without IO.
//!
//! Guarantees: every type here that comes from outside is checked when it is made, so a value that
//! exists is a value that may be used; whether it is to be believed is another question.

mod key_id;
mod key_list;
mod manifest;
mod seen;

pub use banger_installer_host::{
    Digest, DigestError, Product, Receipt, RolledBack, Version, VersionError,
};
pub use key_id::{KeyId, KeyTextError, PublicKeyText};
pub use key_list::{KEY_LIST_SCHEMA, KeyList, KeyListError};
pub use manifest::{
    Artefact, ArtefactKind, MANIFEST_SCHEMA, Manifest, ManifestError, NOTES_LIMIT, Urgency,
};
pub use seen::{
    ANTI_ROLLBACK_SCHEMA, AntiRollbackError, AntiRollbackState, SeenRelease, SignedText,
};

use banger_installer_host::{is_word, read_document, write_document};
