//! banger's daemons and its command line.
//!
//! Guarantees: the two daemons share nothing but `protocol`; `reconcile` decides without touching
//! the host; only `cli` prints.

pub mod build;
pub mod cli;
pub mod daemon;
pub mod health;
pub mod helper;
pub mod jail;
pub mod observe;
pub mod owner;
pub mod product;
pub mod protocol;
pub mod reconcile;
pub mod storage;
pub mod survivors;
pub mod vm_uids;
