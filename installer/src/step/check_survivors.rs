use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::plan::CheckSurvivors;
use crate::report::{Event, Report};

impl CheckSurvivors {
    /// Those who live and were known to the services, and are not any more.
    fn forgotten(&self, effects: &Effects<'_>) -> Result<Vec<String>, StepError> {
        if self.known.is_empty() {
            return Ok(Vec::new());
        }
        let Some(known) = effects.health.known().map_err(StepError::Unlisted)? else {
            return Ok(Vec::new());
        };
        Ok(self
            .survivors
            .iter()
            .filter(|one| self.known.contains(&one.id) && !known.contains(&one.id))
            .filter(|one| effects.lives(one.identity))
            .map(|one| one.name.clone())
            .collect())
    }
}

impl Act for CheckSurvivors {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        let mut names = Vec::new();
        let mut ended = 0;
        for survivor in &self.survivors {
            let alive = effects.lives(survivor.identity);
            if !alive && self.may_end.contains(&survivor.id) {
                ended += 1;
                continue;
            }
            if !alive {
                names.push(survivor.name.clone());
            }
            report.event(&Event::SurvivorChecked {
                name: survivor.name.clone(),
                pid: survivor.identity.pid,
                alive,
            });
        }
        if !names.is_empty() {
            return Err(StepError::Lost { names });
        }
        let names = self.forgotten(effects)?;
        if !names.is_empty() {
            return Err(StepError::Forgotten { names });
        }
        let count = self.survivors.len() - ended;
        Ok(format!(
            "{count} of {count} alive: same pid, same start time"
        ))
    }
}
