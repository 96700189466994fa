use std::time::Duration;

use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::{End, ProtectedProcess};
use crate::plan::CheckProtected;
use crate::report::{Event, Report};

/// How long the services may take to find out how a process ended that they watch.
const ATTRIBUTION_BOUND: Duration = Duration::from_secs(5);

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// How a process that is gone ended, once the services have had their time to find out. Who cannot
/// tell has not explained it.
pub fn end_of(protected: &ProtectedProcess, effects: &Effects<'_>) -> End {
    let deadline = effects.clock.monotonic() + ATTRIBUTION_BOUND;
    loop {
        let told = effects.protected.end_of(protected).ok().flatten();
        match told {
            Some(end) => return end,
            None if effects.clock.monotonic() >= deadline => return End::Unexplained,
            None => effects.clock.pause(PAUSE),
        }
    }
}

impl CheckProtected {
    /// Those who live and were known to the services, and are not any more.
    fn forgotten(&self, effects: &Effects<'_>) -> Result<Vec<String>, StepError> {
        if self.known.is_empty() {
            return Ok(Vec::new());
        }
        let Some(known) = effects.health.known().map_err(StepError::Unlisted)? else {
            return Ok(Vec::new());
        };
        Ok(self
            .protected
            .iter()
            .filter(|one| self.known.contains(&one.id) && !known.contains(&one.id))
            .filter(|one| effects.lives(one.identity))
            .map(|one| one.name.clone())
            .collect())
    }

    /// Those who are gone without an explanation. Gives the number of those who live beside them.
    fn lost(&self, effects: &Effects<'_>, report: &mut dyn Report) -> (usize, Vec<String>) {
        let mut lost = Vec::new();
        let mut living = 0;
        for protected in &self.protected {
            let (name, pid) = (protected.name.clone(), protected.identity.pid);
            let alive = effects.lives(protected.identity);
            if !alive {
                if self.may_end.contains(&protected.id) {
                    continue;
                }
                let end = end_of(protected, effects);
                if end.is_explained() {
                    report.event(&Event::ProtectedEnded { name, pid, end });
                    continue;
                }
                lost.push(name.clone());
            }
            living += usize::from(alive);
            report.event(&Event::ProtectedChecked { name, pid, alive });
        }
        (living, lost)
    }
}

impl Act for CheckProtected {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        let (count, names) = self.lost(effects, report);
        if !names.is_empty() {
            return Err(StepError::Lost { names });
        }
        let names = self.forgotten(effects)?;
        if !names.is_empty() {
            return Err(StepError::Forgotten { names });
        }
        Ok(format!(
            "{count} of {count} alive: same pid, same start time"
        ))
    }
}
