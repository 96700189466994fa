//! banger's daemons: the owner daemon and the root helper.
//!
//! Guarantees: the two daemons share nothing but `protocol`; nothing here prints.

pub mod arguments;
pub mod daemon;
pub mod helper;
pub mod owner;

use banger_jail as jail;
use banger_product as product;
use banger_protocol as protocol;
use banger_vms::{observe, reconcile, storage, vm_uids};
