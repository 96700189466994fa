//! Installs, updates, verifies, rolls back and removes systemd services whose children must live.

pub mod effect;
pub mod error_kind;
pub mod fetch;
pub mod model;
pub mod unit;
pub mod verify;

pub use error_kind::ErrorKind;
