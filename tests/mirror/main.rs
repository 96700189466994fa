//! Hostile releases, mirrors and networks, without a host: each release is refused, the error names what
//! is wrong, and nothing is written.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod archives;
mod client;
mod corpus;
mod disk;
mod hostile;
mod hostile_servers;
mod keys;
mod manifests;
mod memory;
mod mirrors;
mod noise;
mod proxies;
mod release_tool;
mod resume;
mod rotation;
mod transport;
mod updater;
mod world;
