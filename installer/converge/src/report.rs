//! What an operation tells while it is in progress, and to whom.
//!
//! Guarantees: an event is told after what it speaks of has happened; nothing here prints.

use std::error::Error;

use crate::model::{End, UnitName, Version};
use crate::plan::{Finding, Operation, Phase, Step};

/// What happens in an operation, as it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An interrupted operation was found.
    Recovering {
        /// What it was.
        operation: Operation,
        /// How far it was: rolled back when running, finished when committed.
        phase: Phase,
    },
    /// It was rolled back, or finished.
    Recovered {
        /// What it was.
        operation: Operation,
        /// How far it was.
        phase: Phase,
    },
    /// Something is not as it was installed.
    Finding {
        /// What.
        finding: &'a Finding,
    },
    /// A step begins.
    StepStarted {
        /// Which.
        step: &'a Step,
        /// Why.
        why: &'a str,
    },
    /// A step holds.
    StepDone {
        /// Which.
        step: &'a Step,
        /// A few words on what it did, or nothing.
        detail: &'a str,
    },
    /// A step failed.
    StepFailed {
        /// Which.
        step: &'a Step,
        /// Why.
        cause: &'a (dyn Error + 'static),
    },
    /// The operation is being rolled back.
    Reverting {
        /// What it was.
        operation: Operation,
    },
    /// The operation was rolled back.
    Reverted {
        /// What it was.
        operation: Operation,
    },
    /// A protected process got a scope of its own.
    ProtectedMoved {
        /// Who.
        name: String,
        /// Its pid.
        pid: u32,
        /// Where it is now.
        scope: UnitName,
    },
    /// A protected process was ended, as the user asked for.
    ProtectedStopped {
        /// Who.
        name: String,
        /// Its pid.
        pid: u32,
    },
    /// A protected process was compared with what it was.
    ProtectedChecked {
        /// Who.
        name: String,
        /// Its pid.
        pid: u32,
        /// Whether that very process lives.
        alive: bool,
    },
    /// A protected process ended meanwhile, in a way that blames nobody.
    ProtectedEnded {
        /// Who.
        name: String,
        /// Its pid.
        pid: u32,
        /// How.
        end: End,
    },
    /// A service that its owner controls does not answer, and nothing shows that its program is the
    /// reason: the change goes on.
    NotHeldAgainst {
        /// The service.
        unit: &'a UnitName,
        /// What was seen instead.
        why: &'a str,
    },
    /// A service was stopped by hand while its version is on probation, which waits until it runs
    /// again.
    StoppedByHand {
        /// The service.
        unit: &'a UnitName,
    },
    /// A version on probation fails its health checks; the one before it comes back.
    ProbationFailed {
        /// The version.
        version: &'a Version,
        /// Why.
        why: &'a str,
    },
    /// The operation is committed, but something of the old could not be removed yet; the next
    /// operation tries again.
    CleanupPending {
        /// Why not.
        why: String,
    },
}

/// Who is told what happens.
pub trait Report {
    /// Something happened.
    fn event(&mut self, event: &Event<'_>);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Report for Silent {
    fn event(&mut self, _event: &Event<'_>) {}
}
