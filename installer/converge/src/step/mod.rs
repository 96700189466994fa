//! Steps: what an operation can do to the host, one reversible thing a file.
//!
//! Guarantees: a step first only looks, and says how it will be reverted ([`Undo`]); only then it
//! acts. Both halves may be done twice: an operation that died between them is rolled back by the same
//! words, whether or not the act had begun.

mod check_health;
mod check_kill_mode;
mod check_programs;
mod check_protected;
mod check_state;
mod check_vacant;
mod error;
mod inquiry;
mod keep_guests;
mod link;
mod probation;
mod reload_systemd;
mod remove_file;
mod rescope_guests;
mod restore;
mod run_units;
mod set_aside;
mod stage_release;
mod start_rescue;
mod stop_guests;
mod toggle_units;
mod undo;
mod write_receipt;
mod write_set;
mod write_unit;

use crate::effect::Effects;
pub use crate::plan::Step;
use crate::plan::every_step;
use crate::report::Report;

pub use check_health::HEALTH_BOUND;
pub use check_protected::end_of;
pub use error::StepError;
pub use inquiry::{Silence, look as inquire, proven};
pub(crate) use undo::restart_those_that_may;
pub use undo::{Undo, revert};

/// What a step did, in a few words; empty when its name says it all.
pub type Detail = String;

/// One reversible thing.
pub(crate) trait Act {
    /// Looks, changes nothing, and says how the act will be reverted.
    fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError>;
    /// Acts.
    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError>;
}

macro_rules! actors {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Who carries a step out.
        fn actor(step: &Step) -> &dyn Act {
            match step {
                $(Step::$name(step) => step,)+
            }
        }
    };
}
every_step!(actors);

impl Step {
    pub(crate) fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError> {
        actor(self).prepare(effects)
    }

    pub(crate) fn act(
        &self,
        effects: &Effects<'_>,
        report: &mut dyn Report,
    ) -> Result<Detail, StepError> {
        actor(self).act(effects, report)
    }
}
