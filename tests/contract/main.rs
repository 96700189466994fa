//! The contract on a host, line by line. What needs none is in `tests/plain`.

// helpers of tests are tests too, but clippy only knows functions marked #[test]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod auto_update;
mod boundary;
mod choices;
mod commands;
mod damage;
mod dry_run;
mod install_script;
mod life;
mod locks;
mod manners;
mod sandbox;
mod updates;
mod vms;
