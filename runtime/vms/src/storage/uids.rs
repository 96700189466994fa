//! `uids.json`: how far the ids for VMs have been given out, so that one that was given back is not
//! the next to be given out again.

use serde::{Deserialize, Serialize};

/// The schema that this code writes.
pub const UIDS_SCHEMA: u32 = 1;

/// The contents of `uids.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uids {
    /// [`UIDS_SCHEMA`].
    pub schema: u32,
    /// The uid that was given out last.
    pub last: u32,
}
