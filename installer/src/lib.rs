//! Installs, updates, verifies, rolls back and removes systemd services whose children must live.

pub mod effect;
pub mod engine;
pub mod fetch;
mod hint;
pub mod journal;
pub mod model;
pub mod observe;
pub mod plan;
pub mod report;
pub mod step;
pub mod toolkit;
pub mod verify;

pub use banger_installer_host::ErrorKind;
pub use banger_installer_host::error_kind;
pub use banger_installer_systemd::unit;
