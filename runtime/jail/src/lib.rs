//! Making and removing the jail of one VM, and speaking to the Firecracker inside.
//!
//! Guarantees: programs are taken from root-owned places only; a user's file is copied from its
//! descriptor, with a bound, and never interpreted by root; nothing in a jail is followed, since
//! its folder belongs to the VM's own uid.

use banger_protocol as protocol;
use banger_vms::storage;

mod api;
mod build;
mod copy;
mod disk_space;
mod files;
mod gate;
mod launch;
mod prerequisites;
mod tree;

pub use api::{ApiError, Instance, ask_instance, send_ctrl_alt_del};
pub use build::{Ingredients, build, give_to_root, remove, size_of_disk};
pub use copy::{copy_sparse, room_of};
pub use disk_space::{DiskSpace, NoSpace, Promise};
pub use files::{BadFile, check_kernel, check_rootfs};
pub use gate::{GATE_OPTION, open as open_gate, pass as pass_gate};
pub use launch::{configuration, jailer_command};
pub use prerequisites::{HostLack, Programs, check_host};
