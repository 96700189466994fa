//! The nouns of the toolkit: data without IO.
//!
//! Guarantees: every type here that comes from outside is checked when it is made, so a value that
//! exists is a value that may be used; nothing in this module touches a file, a clock or a socket.

mod key_id;
mod key_list;
mod manifest;
mod product;
mod seen;
mod trial;

pub use banger_installer_host::{
    Contents, Digest, DigestError, End, FileImage, Fingerprint, Found, InstallMethod, LastUpdate,
    Layout, Owner, ProcessIdentity, RECEIPT_SCHEMA, Receipt, ReceiptError, RolledBack, Survivor,
    UnitKind, UnitName, UnitNameError, Version, VersionError,
};
pub use banger_installer_systemd::{RateLimit, ServiceFacts, UnitFacts, UnitSearch};
pub use key_id::{KeyId, KeyTextError, PublicKeyText};
pub use key_list::{KEY_LIST_SCHEMA, KeyList, KeyListError};
pub use manifest::{
    Artefact, ArtefactKind, MANIFEST_SCHEMA, Manifest, ManifestError, NOTES_LIMIT, Urgency,
};
pub use product::{Product, Program, Requirement, StateFiles, UnitSpec};
pub use seen::{SEEN_SCHEMA, Seen, SeenChannel, SeenError, SignedText};
pub use trial::{SavedFile, TRIAL_SCHEMA, Trial, TrialError};

use banger_installer_host::schema_of;
