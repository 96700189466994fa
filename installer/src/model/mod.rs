//! The nouns of the toolkit: data without IO.
//!
//! Guarantees: every type here that comes from outside is checked when it is made, so a value that
//! exists is a value that may be used; nothing in this module touches a file, a clock or a socket.

mod digest;
mod found;
mod host;
mod manifest;
mod product;
mod receipt;
mod trial;
mod unit_facts;
mod unit_name;
mod version;

pub use digest::{Digest, DigestError};
pub use found::{Contents, FileImage, Fingerprint, Found};
pub use host::{Owner, ProcessIdentity, Survivor};
pub use manifest::{Artefact, ArtefactKind, MANIFEST_SCHEMA, Manifest, ManifestError};
pub use product::{Layout, Product, Program, Requirement, StateFiles, UnitSpec};
pub use receipt::{InstallMethod, LastUpdate, RECEIPT_SCHEMA, Receipt, ReceiptError, RolledBack};
pub use trial::{SavedFile, TRIAL_SCHEMA, Trial, TrialError};
pub use unit_facts::{ServiceFacts, UnitFacts, UnitSearch};
pub use unit_name::{UnitKind, UnitName, UnitNameError};
pub use version::{Version, VersionError};
