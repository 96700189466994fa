//! Installs, updates, verifies, rolls back and removes systemd services whose children must live.

pub mod model;
pub mod unit;
