//! `handles.json`: the list of VMs as the helper last found them, for programs that must know
//! without asking it, an updater above all. It names those that have a process, and those that
//! nothing may touch; a VM that has ended is in its record alone, so that the list stays short
//! however many of them there are.

use serde::{Deserialize, Serialize};

use crate::protocol::{VmState, VmSummary};

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

/// A VM that the list names: every one but those that have ended.
pub fn is_named_in_handles(state: VmState) -> bool {
    !matches!(state, VmState::Stopped | VmState::Failed)
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
