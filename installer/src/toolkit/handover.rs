//! How an installed program lets a release's own make the plan and carry it out.

/// The version of the handover that this code speaks, on both sides.
pub const HANDOVER: u32 = 1;
