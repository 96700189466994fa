//! The nouns of the toolkit: data without IO.
//!
//! Guarantees: every type here that comes from outside is checked when it is made, so a value that
//! exists is a value that may be used; nothing in this module touches a file, a clock or a socket.

mod digest;
mod found;
mod host;
mod installed_set;
mod key_id;
mod key_list;
mod manifest;
mod product;
mod receipt;
mod release_list;
mod seen;
mod trial;
mod unit_facts;
mod unit_name;
mod version;

pub use digest::{Digest, DigestError};
pub use found::{Contents, FileImage, Fingerprint, Found};
pub use host::{End, Owner, ProcessIdentity, Survivor};
pub use installed_set::{INSTALLED_SET_SCHEMA, InstalledSet, InstalledSetError, InstalledUnit};
pub use key_id::{KeyId, KeyTextError, PublicKeyText};
pub use key_list::{KEY_LIST_SCHEMA, KeyList, KeyListError};
pub use manifest::{
    Artefact, ArtefactKind, MANIFEST_SCHEMA, Manifest, ManifestError, NOTES_LIMIT, Urgency,
};
pub use product::{Delegate, Layout, Product, Program, Requirement, StateFiles, UnitSpec};
pub use receipt::{InstallMethod, LastUpdate, RECEIPT_SCHEMA, Receipt, ReceiptError, RolledBack};
pub use release_list::{
    ListedFile, RELEASE_LIST_LIMIT, RELEASE_LIST_NAME, RELEASE_LIST_SCHEMA, ReleaseList,
    ReleaseListError,
};
pub use seen::{SEEN_SCHEMA, Seen, SeenChannel, SeenError, SignedText};
pub use trial::{SavedFile, TRIAL_SCHEMA, Trial, TrialError};
pub use unit_facts::{RateLimit, ServiceFacts, UnitFacts, UnitSearch};
pub use unit_name::{UnitKind, UnitName, UnitNameError};
pub use version::{Version, VersionError};

/// The `schema` of a JSON document, read before anything else: a later one may have any other shape.
fn schema_of(bytes: &[u8]) -> Result<u32, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Schema {
        schema: u32,
    }
    let Schema { schema } = serde_json::from_slice(bytes)?;
    Ok(schema)
}
