//! Attackers on a host: its owner, a guest, a VMM that a guest has taken over, another user, and all of
//! them at once. What a publisher or a mirror may send is in `tests/mirror`, which boots nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod boundary;
mod broken_out_vmm;
mod guest;
mod other_user;
mod owner;
mod soak;
