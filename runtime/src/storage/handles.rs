//! `handles.json`: the list of VMs as the helper last found them, for programs that must know
//! without asking it, an updater above all.

use serde::{Deserialize, Serialize};

use crate::protocol::VmSummary;

/// The schema that this code writes.
pub const HANDLES_SCHEMA: u32 = 1;

/// The contents of `handles.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handles {
    /// [`HANDLES_SCHEMA`].
    pub schema: u32,
    /// The boot in which it was written.
    pub boot_id: String,
    /// The helper that wrote it.
    pub written_by: u32,
    /// The VMs, by name.
    pub vms: Vec<Handle>,
}

/// One VM, and where its API socket is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    /// The VM.
    #[serde(flatten)]
    pub vm: VmSummary,
    /// Its API socket as the host sees it.
    pub api_socket: Option<String>,
}
