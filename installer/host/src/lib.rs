//! What the toolkit and the daemons that it installs need of a host: durable files, locks, processes,
//! and the plain nouns that both know.
//!
//! Guarantees: nothing here speaks to the service manager or to a network, so that a privileged daemon
//! can link all of it.

mod at_once;
mod clock;
pub mod error_kind;
mod files;
mod hashing;
mod lock;
mod model;
mod processes;

pub use at_once::{each_at_once, meanwhile};
pub use clock::{Clock, HostClock};
pub use error_kind::ErrorKind;
pub use files::{
    Disk, Files, FilesError, HostFiles, Kind, Status, Untrusted, sync_enablement, trust,
};
pub use hashing::{HashingWriter, Measured};
pub use lock::{Lock, LockError};
pub use model::{
    Answer, Contents, Digest, DigestError, End, FileImage, Fingerprint, ForeignListener, Found,
    InstallMethod, LastUpdate, Layout, Owner, ProcessIdentity, RECEIPT_SCHEMA, Receipt,
    ReceiptError, RolledBack, Survivor, UnitKind, UnitName, UnitNameError, Version, VersionError,
    schema_of,
};
pub use processes::{HostProcesses, ProcessFacts, Processes, descriptor};

/// An error of a trait that another crate implements.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
