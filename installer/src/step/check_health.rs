use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::UnitName;
use crate::plan::CheckHealth;
use crate::report::Report;
use std::time::Duration;

/// The longest that a service may take from the end of its start job to a good answer.
pub const HEALTH_BOUND: Duration = Duration::from_secs(20);

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(50);

impl CheckHealth {
    fn wait_for(&self, unit: &UnitName, effects: &Effects<'_>) -> Result<(), StepError> {
        let deadline = effects.clock.monotonic() + HEALTH_BOUND;
        loop {
            match effects.health.probe(unit) {
                Ok(found) if found == self.version => return Ok(()),
                // the restart is over: who answers now is the new process
                Ok(found) => {
                    return Err(StepError::WrongVersion {
                        unit: unit.clone(),
                        found,
                        expected: self.version.clone(),
                    });
                }
                Err(source) if effects.clock.monotonic() >= deadline => {
                    return Err(StepError::Unwell {
                        unit: unit.clone(),
                        source,
                    });
                }
                Err(_) => effects.clock.pause(PAUSE),
            }
        }
    }
}

impl Act for CheckHealth {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        for unit in &self.units {
            self.wait_for(unit, effects)?;
        }
        Ok(format!("healthy, {}", self.version))
    }
}
