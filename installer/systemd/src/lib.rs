//! systemd for the toolkit and for daemons alike: unit files as text, what the manager holds of a unit,
//! and the one client on the system bus.
//!
//! Guarantees: [`mod@unit`] is text and nothing else; only [`client`] speaks to the manager.

pub mod client;
pub mod unit;
mod unit_facts;

pub use banger_installer_host::{UnitKind, UnitName, UnitNameError};
pub use unit_facts::{RateLimit, ServiceFacts, UnitFacts, UnitSearch};
