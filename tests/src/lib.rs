//! Throwaway hosts, guests and release servers, and the demo that runs on them.
//!
//! Guarantees: what a test makes here (hosts, mounts, control groups, processes) goes when its value
//! is dropped, and what a killed run left behind goes at the next one; nothing is ever ended by
//! name; nothing but loopback and the package registries is contacted.

pub mod connect_proxy;
pub mod demo;
pub mod release_server;
pub mod soak;
pub mod support;
