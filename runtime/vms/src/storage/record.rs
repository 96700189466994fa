//! The record of one VM: what the helper must know to find its process again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::protocol::{Cpus, EndCause, MemoryMib, VmId, VmName, VmState, VmSummary};

/// The schema that this code writes.
pub const RECORD_SCHEMA: u32 = 1;

/// The contents of `vms/<id>/record.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmRecord {
    /// [`RECORD_SCHEMA`].
    pub schema: u32,
    /// The VM's id; the folder's name too.
    pub id: VmId,
    /// Its name.
    pub name: VmName,
    /// Virtual processors.
    pub cpus: Cpus,
    /// Memory in MiB.
    pub memory_mib: MemoryMib,
    /// The user and group id that its process runs as; no other VM's.
    pub uid: u32,
    /// Its state.
    pub state: VmState,
    /// Why it is in that state.
    pub reason: Option<String>,
    /// The boot (`/proc/sys/kernel/random/boot_id`) in which it was started. In another one every
    /// number in `process` is void.
    pub boot_id: String,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// Its process; none before the spawn.
    pub process: Option<ProcessRecord>,
    /// Its transient scope; none when it lives in the helper's own control group.
    pub scope: Option<String>,
    /// How its process ended; none while there is one. Absent in records of version 0.1.0.
    #[serde(default)]
    pub ended: Option<EndCause>,
    // on disk also: `checksum`, see `super::seal`; absent in records of version 0.1.0
}

/// What was seen of the process at the spawn, when it could be no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// Process id on the host.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start_time: u64,
    /// Inode of its pidfd where the kernel has pidfs (Linux 6.9), where it is unique for a boot.
    pub pidfd_inode: Option<u64>,
    /// Its control group on the unified hierarchy.
    pub control_group: String,
    /// Device and inode of the program in its jail.
    pub executable: Option<(u64, u64)>,
}

impl VmRecord {
    /// What a user may know of it.
    pub fn summary(&self) -> VmSummary {
        let alive = matches!(
            self.state,
            VmState::Starting | VmState::Running | VmState::Stopping | VmState::Unmanaged
        );
        let process = self.process.as_ref().filter(|_| alive);
        VmSummary {
            name: self.name.to_string(),
            id: Some(self.id.clone()),
            state: self.state,
            reason: self.reason.clone(),
            pid: process.map(|process| process.pid),
            start_time: process.map(|process| process.start_time),
            control_group: process.map(|process| process.control_group.clone()),
            cpus: Some(self.cpus.get()),
            memory_mib: Some(self.memory_mib.get()),
            started: self.started,
            ended: self.ended,
        }
    }
}
