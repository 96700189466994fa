//! The bench: real systemd hosts, real Firecracker, real guests, each in one expression.

pub mod api;
pub mod bad;
pub mod bystander;
pub mod command;
pub mod console;
pub mod fake;
pub mod firecracker;
pub mod guest;
pub mod host;
pub mod place;

pub mod prerequisites;
pub mod process;
pub mod programs;
pub mod race;
pub mod releases;
pub mod root;
pub mod server;
pub mod stage;
pub mod tools;
pub mod tree;

mod error;

pub use error::{Error, chain};
pub use host::Host;

/// What the bench's functions give.
pub type Result<T, E = Error> = std::result::Result<T, E>;
