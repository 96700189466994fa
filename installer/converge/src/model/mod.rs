//! The nouns of a change: data without IO.

mod probation;

pub use banger_installer_host::{
    Digest, End, FileImage, Fingerprint, Found, Hint, INSTALLED_SET_SCHEMA, InstallMethod,
    InstalledSet, InstalledSetError, InstalledUnit, LastUpdate, Layout, Owner, ProcessIdentity,
    Product, Program, ProtectedProcess, RECEIPT_SCHEMA, Receipt, ReceiptError, Requirement,
    RolledBack, StateAnswer, StateAnswerError, StateCheck, StateFiles, UnitKind, UnitName,
    UnitNameError, UnitSpec, Version, VersionError,
};
pub use banger_installer_systemd::{RateLimit, ServiceFacts, UnitFacts, UnitSearch};
pub use probation::{PROBATION_SCHEMA, Probation, ProbationError, SavedFile};

use banger_installer_host::{read_document, schema_of, write_document};
