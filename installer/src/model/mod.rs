//! The nouns of the toolkit: data without IO, each in the crate that makes it.

pub use banger_installer_converge::model::{
    PROBATION_SCHEMA, Probation, ProbationError, SavedFile,
};
pub use banger_installer_host::{
    Contents, Delegate, Digest, DigestError, End, FileImage, Fingerprint, Format, Found, Hint,
    HintText, INSTALLED_SET_SCHEMA, InstallMethod, InstalledSet, InstalledSetError, InstalledUnit,
    LastUpdate, Layout, ListedFile, Owner, ProcessIdentity, Product, ProductBuilder, ProductError,
    Program, ProtectedProcess, RECEIPT_SCHEMA, RELEASE_LIST_LIMIT, RELEASE_LIST_NAME,
    RELEASE_LIST_SCHEMA, Receipt, ReceiptError, ReleaseList, ReleaseListError, Requirement,
    RolledBack, StateAnswer, StateCheck, StateFiles, UnitKind, UnitName, UnitNameError, UnitSpec,
    Version, VersionError,
};
pub use banger_installer_systemd::{RateLimit, ServiceFacts, UnitFacts, UnitSearch};
pub use banger_installer_trust::model::{
    ANTI_ROLLBACK_SCHEMA, AntiRollbackError, AntiRollbackState, Artefact, ArtefactKind,
    KEY_LIST_SCHEMA, KeyId, KeyList, KeyListError, KeyTextError, MANIFEST_SCHEMA, Manifest,
    ManifestError, NOTES_LIMIT, PublicKeyText, SeenRelease, SignedText, Urgency,
};
