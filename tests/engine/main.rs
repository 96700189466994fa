//! The toolkit on a real systemd: a toy service with a child that must live.
#![allow(
    clippy::unwrap_used,
    reason = "a stage that cannot be set fails the test that stands on it"
)]

mod bus;
mod crash;
mod fixtures;
mod locks;
mod mounts;
mod scenes;
mod toy;
