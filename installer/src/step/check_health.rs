use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::UnitName;
use crate::plan::CheckHealth;
use crate::report::Report;
use std::time::Duration;

/// The longest that the services may take from the end of their start jobs until all have given a
/// good answer.
pub const HEALTH_BOUND: Duration = Duration::from_secs(20);

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// How long services are looked at once all have answered: more than the pause after which systemd
/// starts one anew that ended right away. What comes later is for the trial.
const STEADY: Duration = Duration::from_millis(500);

/// A service's process, and how often systemd restarted it by itself.
type Life = (UnitName, u32, u32);

impl CheckHealth {
    fn wait_for_answers(&self, effects: &Effects<'_>) -> Result<(), StepError> {
        let deadline = effects.clock.monotonic() + HEALTH_BOUND;
        let mut waited_for = self.units.clone();
        loop {
            let answers = effects.health.probe_all(&waited_for);
            let mut late = Vec::new();
            for (unit, answer) in waited_for.into_iter().zip(answers) {
                match answer {
                    Ok(found) if found == self.version => {}
                    // the restart is over: who answers now is the new process
                    Ok(found) => {
                        return Err(StepError::WrongVersion {
                            unit,
                            found,
                            expected: self.version.clone(),
                        });
                    }
                    Err(source) if effects.clock.monotonic() >= deadline => {
                        return Err(StepError::Unwell { unit, source });
                    }
                    Err(_) => late.push(unit),
                }
            }
            if late.is_empty() {
                return Ok(());
            }
            waited_for = late;
            effects.clock.pause(PAUSE);
        }
    }

    fn lives(&self, effects: &Effects<'_>) -> Result<Vec<Life>, StepError> {
        self.units
            .iter()
            .map(|unit| {
                let service = effects.systemd.unit(unit)?.service;
                let life = service.map(|service| (service.main_pid, service.restarts));
                let (main_pid, restarts) = life.unwrap_or_default();
                Ok((unit.clone(), main_pid, restarts))
            })
            .collect()
    }

    /// Sees that nobody who answered ends right after.
    fn see_steady(&self, effects: &Effects<'_>) -> Result<(), StepError> {
        let before = self.lives(effects)?;
        let until = effects.clock.monotonic() + STEADY;
        loop {
            let after = self.lives(effects)?;
            if let Some((_, (unit, ..))) = before.iter().zip(&after).find(|(was, is)| was != is) {
                return Err(StepError::Unsteady { unit: unit.clone() });
            }
            if effects.clock.monotonic() >= until {
                return Ok(());
            }
            effects.clock.pause(PAUSE);
        }
    }
}

impl Act for CheckHealth {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        self.wait_for_answers(effects)?;
        self.see_steady(effects)?;
        Ok(format!("healthy, {}", self.version))
    }
}
