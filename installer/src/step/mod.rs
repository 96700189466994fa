//! Steps: what a run can do to the host, one reversible thing a file.
//!
//! Guarantees: a step first only looks, and says how it will be taken back ([`Undo`]); only then it
//! acts. Both halves may be done twice: a run that died between them is taken back by the same
//! words, whether or not the act had begun.

mod check_health;
mod check_kill_mode;
mod check_programs;
mod check_survivors;
mod error;
mod keep_guests;
mod link;
mod reload_systemd;
mod remove_file;
mod rescope_guests;
mod run_units;
mod set_aside;
mod stage_release;
mod toggle_units;
mod undo;
mod write_receipt;
mod write_unit;

use serde::{Deserialize, Serialize};

use crate::effect::Effects;
use crate::toolkit::Report;

pub use check_health::{CheckHealth, HEALTH_BOUND};
pub use check_kill_mode::CheckKillMode;
pub use check_programs::CheckPrograms;
pub use check_survivors::CheckSurvivors;
pub use error::StepError;
pub use keep_guests::KeepGuests;
pub use link::Link;
pub use reload_systemd::{RELOAD_FLOOR, ReloadSystemd};
pub use remove_file::RemoveFile;
pub use rescope_guests::{Move, RescopeGuests};
pub use run_units::{RestartUnits, StartUnits, StopUnits};
pub use set_aside::SetAside;
pub use stage_release::StageRelease;
pub use toggle_units::{DisableUnits, EnableUnits};
pub use undo::{Undo, revert};
pub use write_receipt::WriteReceipt;
pub use write_unit::WriteUnit;

/// What a step did, in a few words; empty when its name says it all.
pub type Detail = String;

/// One reversible thing.
pub(crate) trait Act {
    /// Looks, changes nothing, and says how the act will be taken back.
    fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError>;
    /// Acts.
    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError>;
}

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// A step of a plan.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "step", rename_all = "kebab-case")]
        pub enum Step {
            $($(#[$doc])* $name($name),)+
        }

        impl Step {
            fn as_act(&self) -> &dyn Act {
                match self {
                    $(Self::$name(step) => step,)+
                }
            }
        }

        $(impl From<$name> for Step {
            fn from(step: $name) -> Self {
                Self::$name(step)
            }
        })+

        impl std::fmt::Display for Step {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$name(step) => step.fmt(formatter),)+
                }
            }
        }
    };
}

steps! {
    /// Publish a version's folder.
    StageRelease,
    /// Ask new programs for their version.
    CheckPrograms,
    /// Point a link (`current`, a program) elsewhere, in one rename.
    Link,
    /// Write a unit file.
    WriteUnit,
    /// Write the toolkit's own drop-in.
    KeepGuests,
    /// Remove a file or link.
    RemoveFile,
    /// Move a folder out of the way.
    SetAside,
    /// Make systemd read its units anew.
    ReloadSystemd,
    /// See that a stop reaches the main process alone.
    CheckKillMode,
    /// Move survivors out of the services' control groups.
    RescopeGuests,
    /// Enable units.
    EnableUnits,
    /// Disable units.
    DisableUnits,
    /// Start units.
    StartUnits,
    /// Stop units.
    StopUnits,
    /// Restart services.
    RestartUnits,
    /// Wait until services answer with the right version.
    CheckHealth,
    /// Compare survivors with what they were.
    CheckSurvivors,
    /// Write the receipt.
    WriteReceipt,
}

impl Step {
    pub(crate) fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError> {
        self.as_act().prepare(effects)
    }

    pub(crate) fn act(
        &self,
        effects: &Effects<'_>,
        report: &mut dyn Report,
    ) -> Result<Detail, StepError> {
        self.as_act().act(effects, report)
    }
}

/// Units or people in a list, as a sentence takes them: `a, b and c`.
pub(crate) fn listed<T: std::fmt::Display>(things: &[T]) -> String {
    match things {
        [] => "none".into(),
        [one] => one.to_string(),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            format!("{} and {last}", first.join(", "))
        }
    }
}
