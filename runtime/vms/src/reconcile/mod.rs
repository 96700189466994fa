//! Which process belongs to which record: pure, so that every case can be laid on a table.
//!
//! Guarantees: MINE needs every anchor that is known to agree; GONE needs proof that neither the
//! recorded process nor any related process of it is there; whatever lies between is UNSURE, and
//! nothing may be done to that VM or its process. No record makes another undecided.

mod decide;

pub use decide::{Decision, Why, decide, is_guest, unmanaged_processes};

#[cfg(test)]
mod tests;
