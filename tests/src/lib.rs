//! Throwaway hosts, guests and release servers, and the tests and the demo that run on them.

pub mod release_server;
