//! Hostile releases: each is refused, the error names what is wrong, and nothing is written.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod archives;
mod boundary;
mod broken_out_vmm;
mod client;
mod corpus;
mod disk;
mod guest;
mod hostile;
mod hostile_servers;
mod keys;
mod manifests;
mod memory;
mod mirrors;
mod noise;
mod owner;
mod proxies;
mod release_tool;
mod resume;
mod rotation;
mod soak;
mod stranger;
mod transport;
mod world;
