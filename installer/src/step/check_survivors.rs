use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::plan::CheckSurvivors;
use crate::report::{Event, Report};

impl Act for CheckSurvivors {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        let mut names = Vec::new();
        for survivor in &self.survivors {
            let alive = effects.lives(survivor.identity);
            if !alive {
                names.push(survivor.name.clone());
            }
            report.event(&Event::SurvivorChecked {
                name: survivor.name.clone(),
                pid: survivor.identity.pid,
                alive,
            });
        }
        if names.is_empty() {
            let count = self.survivors.len();
            Ok(format!(
                "{count} of {count} alive: same pid, same start time"
            ))
        } else {
            Err(StepError::Lost { names })
        }
    }
}
