//! Decides what is to be done: from the host and the goal to an ordered list of steps.
//!
//! Guarantees: pure; the same host and goal give the same plan, and a host that is already as it
//! should be gives an empty one. In every plan `KillMode=process` is seen in force, by systemd's own
//! word, before the first step that stops a service whose children must live.

mod converge;
mod staleness;
mod uninstall;

use serde::{Deserialize, Serialize};

use crate::journal::{Cleanup, Operation};
use crate::step::Step;

pub use converge::{Goal, Rendered, Stage, converge};
pub use staleness::{Finding, Staleness, findings, in_danger};
pub use uninstall::{Purge, uninstall};

/// What a run will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What it is about.
    pub operation: Operation,
    /// What it does, in this order, each with its reason.
    pub steps: Vec<Planned>,
    /// What goes when all of that holds.
    pub cleanup: Vec<Cleanup>,
}

/// A step and why it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The step.
    pub step: Step,
    /// The reason.
    pub why: String,
}

impl Plan {
    pub(crate) fn new(operation: Operation) -> Self {
        Self {
            operation,
            steps: Vec::new(),
            cleanup: Vec::new(),
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.cleanup.is_empty()
    }

    pub(crate) fn push(&mut self, step: impl Into<Step>, why: impl Into<String>) {
        self.steps.push(Planned {
            step: step.into(),
            why: why.into(),
        });
    }
}

impl std::fmt::Display for Plan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for Planned { step, why } in &self.steps {
            writeln!(formatter, "{step}   {why}")?;
        }
        for cleanup in &self.cleanup {
            writeln!(
                formatter,
                "remove {}   when all of that holds",
                cleanup.path.display()
            )?;
        }
        Ok(())
    }
}
