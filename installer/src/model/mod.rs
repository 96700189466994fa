//! The nouns of the toolkit: data without IO, each in the crate that makes it.

pub use banger_installer_converge::model::{SavedFile, TRIAL_SCHEMA, Trial, TrialError};
pub use banger_installer_host::{
    Contents, Digest, DigestError, End, FileImage, Fingerprint, Found, InstallMethod, LastUpdate,
    Layout, Owner, ProcessIdentity, Product, Program, RECEIPT_SCHEMA, Receipt, ReceiptError,
    Requirement, RolledBack, StateFiles, Survivor, UnitKind, UnitName, UnitNameError, UnitSpec,
    Version, VersionError,
};
pub use banger_installer_systemd::{RateLimit, ServiceFacts, UnitFacts, UnitSearch};
pub use banger_installer_trust::model::{
    Artefact, ArtefactKind, KEY_LIST_SCHEMA, KeyId, KeyList, KeyListError, KeyTextError,
    MANIFEST_SCHEMA, Manifest, ManifestError, NOTES_LIMIT, PublicKeyText, SEEN_SCHEMA, Seen,
    SeenChannel, SeenError, SignedText, Urgency,
};
