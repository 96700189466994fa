//! Installs, updates, verifies, rolls back and removes systemd services with protected children.
//!
//! The parts stand in crates of their own, under the names that they have here.

pub mod model;
pub mod toolkit;
pub mod updater;

pub use banger_installer_converge::{effect, engine, journal, observe, plan, report, step};
pub use banger_installer_fetch as fetch;
pub use banger_installer_host::{ErrorKind, causes, error_kind, in_one_line};
pub use banger_installer_systemd::unit;
pub use banger_installer_trust as verify;
pub use toolkit::{Outcome, Planner, Prepared, Session};
pub use updater::{Candidate, Staged, Updater};
