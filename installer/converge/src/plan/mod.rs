//! Decides what is to be done: from the host and the goal to an ordered list of steps.
//!
//! Guarantees: pure; the same host and goal give the same plan, and a host that is already as it
//! should be gives an empty one. In every plan `KillMode=process` is seen in force, by systemd's own
//! word, before the first step that stops a service with protected children.

mod blame;
mod converge;
mod decision;
mod fate;
mod finding;
mod folders;
mod goal;
mod links;
mod loading;
mod mend;
mod obstacle;
mod published;
mod retire;
mod running;
mod staleness;
mod step;
mod uninstall;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use blame::{Evidence, Inquiry, Outside, SILENCE};
pub use converge::converge;
pub use decision::{Decision, Selection, decide};
pub use fate::{Fate, FateKind, fates};
pub use finding::{Danger, Drift, Finding};
pub use folders::{FolderMode, findings_of_folders};
pub use goal::{Goal, Rendered, Stage};
pub use obstacle::{Obstacle, obstacle};
pub use published::{findings_of_release, is_sound};
pub use staleness::{findings, in_danger};
pub(crate) use step::every_step;
pub use step::listed;
pub use step::{
    BackUp, BeginProbation, CheckHealth, CheckKillMode, CheckPrograms, CheckProtected, CheckState,
    CheckVacant, DisableUnits, EnableUnits, KeepGuests, Link, Migration, Move, ReloadSystemd,
    RemoveFile, RescopeGuests, RestartUnits, RestoreState, StageRelease, StartRescue, StartUnits,
    Step, StopGuests, StopUnits, WriteReceipt, WriteSet, WriteUnit,
};
pub use uninstall::{Purge, uninstall};

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `install`.
    Install,
    /// `update`.
    Update,
    /// `update --rollback`, and what a service that fails its health checks causes.
    Rollback,
    /// `restart`.
    Restart,
    /// `uninstall`.
    Uninstall,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Steps are under way: rolled back when it dies.
    Running,
    /// All steps hold: only the cleaning up is left, and is finished when it dies.
    Committed,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Install => "install",
            Self::Update => "update",
            Self::Rollback => "rollback",
            Self::Restart => "restart",
            Self::Uninstall => "uninstall",
        })
    }
}

/// Something that goes once the operation is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleanup {
    /// What.
    pub path: PathBuf,
    /// A folder that only goes when nothing is in it.
    pub only_if_empty: bool,
}

impl Cleanup {
    /// Goes with all in it.
    pub fn whole(path: PathBuf) -> Self {
        Self {
            path,
            only_if_empty: false,
        }
    }

    /// Goes if nothing is in it.
    pub fn if_empty(path: PathBuf) -> Self {
        Self {
            path,
            only_if_empty: true,
        }
    }
}

/// What an operation will do.
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

    /// What goes for certain when all steps hold; folders that only go when they are empty are not
    /// among it.
    pub fn swept(&self) -> impl Iterator<Item = &std::path::Path> {
        let swept = self.cleanup.iter().filter(|cleanup| !cleanup.only_if_empty);
        swept.map(|cleanup| cleanup.path.as_path())
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
