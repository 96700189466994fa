//! What root keeps on disk about VMs.
//!
//! Guarantees: a file is either the old one or the new one, never half of either, and is on disk
//! before the call returns; a file that was damaged is known by its checksum; a record that cannot
//! be read is reported, never guessed at.

mod check_state;
mod endings;
mod handles;
mod places;
mod record;
mod sealed;
mod store;
mod uids;

pub use banger_installer_host::{create_folder, write_whole};
pub use check_state::check_state;
pub use endings::{ENDING_SCHEMA, Ending, Endings};
pub use handles::{HANDLES_SCHEMA, Handle, Handles, is_named_in_handles};
pub use places::Places;
pub use record::{ProcessRecord, RECORD_SCHEMA, VmRecord};
pub use sealed::{SealError, seal, unseal};
pub use store::{Loaded, StorageError, Store};
pub use uids::{UIDS_SCHEMA, Uids};
