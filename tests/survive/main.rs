//! Guests live through whatever happens to the software under them; and first of all, the bench on
//! which that is shown does what it promises.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the helpers of tests are tests too, and tell what they covered"
)]

mod bad_daemons;
mod bench;
mod cycles;
mod restarts;
mod stale;
