//! What docs/contract.md guarantees of commands, units, updates and VMs, a module a subject.

// helpers of tests are tests too, but clippy only knows functions marked #[test]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod auto_update;
mod boundary;
mod choices;
mod command_line;
mod commands;
mod damage;
mod documents;
mod dry_run;
mod install_script;
mod json;
mod life;
mod linked;
mod locks;
mod manners;
mod manual;
mod rooms;
mod sandbox;
mod sets;
mod units;
mod updates;
mod vms;
