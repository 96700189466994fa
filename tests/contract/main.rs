//! What docs/contract.md guarantees of commands, units, updates and VMs, a module a subject. What needs
//! no host is in `tests/plain`.

// helpers of tests are tests too, but clippy only knows functions marked #[test]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod auto_update;
mod boundary;
mod choices;
mod commands;
mod damage;
mod dry_run;
mod install_script;
mod json;
mod kept_program;
mod landed;
mod life;
mod locks;
mod manners;
mod sandbox;
mod sets;
mod state;
mod updates;
mod vms;
