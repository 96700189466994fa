//! Brings a host from one state into another: what is there, what is to be done, and the one loop that
//! does it or undoes it.
//!
//! Guarantees: [`plan`] decides without touching the host; everything that changes the host goes
//! through [`effect`]; what was begun is in the [`journal`] before it acts.

pub mod effect;
pub mod engine;
mod hint;
pub mod journal;
pub mod model;
pub mod observe;
pub mod plan;
pub mod report;
pub mod step;

use banger_installer_host::ErrorKind;
use banger_installer_systemd::unit;
