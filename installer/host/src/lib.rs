//! What the toolkit and the daemons that it installs need of a host: durable files, locks, processes,
//! and the plain nouns that both know.
//!
//! Guarantees: nothing here speaks to the service manager or to a network, so that a privileged daemon
//! can link all of it.

mod at_once;
mod causes;
mod clock;
pub mod error_kind;
mod files;
mod handover;
mod hashing;
mod lock;
mod model;
pub mod proc;
mod processes;

pub use at_once::{each_at_once, meanwhile};
pub use causes::{causes, in_one_line};
pub use clock::{Clock, HostClock};
pub use error_kind::ErrorKind;
pub use files::{
    Disk, Files, FilesError, HostFiles, Kind, Status, Untrusted, create_folder, sync_enablement,
    trust, write_whole,
};
pub use handover::{Call, Called, HANDOVER, HandoverError, hand_over};
pub use hashing::{HashingWriter, Measured};
pub use lock::{Lock, LockError};
pub use model::{
    Answer, Contents, Delegate, Digest, DigestError, End, FileImage, Fingerprint, ForeignListener,
    Format, Found, Hint, HintText, INSTALLED_SET_SCHEMA, InstallMethod, InstalledSet,
    InstalledSetError, InstalledUnit, LastUpdate, Layout, ListedFile, Owner, ProcessIdentity,
    Product, ProductBuilder, ProductError, Program, ProtectedProcess, RECEIPT_SCHEMA,
    RELEASE_LIST_LIMIT, RELEASE_LIST_NAME, RELEASE_LIST_SCHEMA, Receipt, ReceiptError, ReleaseList,
    ReleaseListError, Requirement, RolledBack, StateAnswer, StateAnswerError, StateCheck,
    StateFiles, UnitKind, UnitName, UnitNameError, UnitSpec, Version, VersionError, ids, is_word,
    read_document, schema_of, write_document,
};
pub use processes::{HostProcesses, ProcessFacts, Processes, descriptor};

/// An error of a trait that another crate implements.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
