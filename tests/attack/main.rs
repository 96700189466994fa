//! Hostile releases: each is refused, the error names what is wrong, and nothing is written.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod archives;
mod disk;
mod keys;
mod manifests;
mod noise;
mod release_tool;
mod rotation;
mod transport;
mod world;
