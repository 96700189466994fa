//! The toolkit on a real systemd: a toy service with a protected child.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a stage that cannot be set fails the test that stands on it"
)]
#![allow(
    clippy::print_stdout,
    reason = "a test that counts tells how much it covered"
)]

mod bus;

mod drift;
mod drift_scenes;
mod fixtures;
mod hermetic;
mod httpd;
mod kill;
mod locks;
mod mounts;
mod programs;
mod rescue;
mod scenes;
mod second_product;
mod toy;
