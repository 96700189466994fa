//! Installs, updates, verifies, rolls back and removes systemd services whose children must live.

pub mod error_kind;
pub mod model;
