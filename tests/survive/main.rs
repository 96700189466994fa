//! Guests live through whatever happens to the software under them; and first of all, the bench on
//! which that is shown does what it promises.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod bad_daemons;
mod bench;
mod boots;
mod changes;
mod cycles;
mod ends;
mod lost_state;
mod others;
mod owner_deeds;
mod probation;
mod raw_socket;
mod restarts;
mod stale;
mod stopped_by_hand;
