//! The program banger-release, as a person types it, judged by Debian's minisign and sha256sum and
//! by the code that installations run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod bench;
mod building;
mod keys;
mod kills;
mod lists;
mod prying_builds;
mod publishing;
mod reproducible;
mod script;
mod verifying;
mod withdrawing;
