//! What is kept of VMs on disk, and how their processes are found again: what the daemons need, and
//! the command line, which must find guests whatever state the daemons are in.
//!
//! Guarantees: nothing here starts, stops or signals a process; [`reconcile`] decides without touching
//! the host; [`protected`] asks no daemon.

pub mod observe;
pub mod protected;
pub mod reconcile;
pub mod storage;
pub mod vm_uids;

use banger_protocol as protocol;
