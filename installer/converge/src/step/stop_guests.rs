use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::Survivor;
use crate::plan::StopGuests;
use crate::report::{Event, Report};

/// Ends one survivor: the product's own way where it has one, else by signals.
fn stop(
    survivor: &Survivor,
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<(), StepError> {
    if !effects.lives(survivor.identity) {
        return Ok(());
    }
    let failed = |source| StepError::NotStopped {
        name: survivor.name.clone(),
        pid: survivor.identity.pid,
        source,
    };
    // a product whose services are down cannot; then the kernel can
    if !effects.survivors.stop(survivor).unwrap_or(false) || effects.lives(survivor.identity) {
        effects.processes.end(survivor.identity).map_err(failed)?;
    }
    report.event(&Event::SurvivorStopped {
        name: survivor.name.clone(),
        pid: survivor.identity.pid,
    });
    Ok(())
}

impl StopGuests {
    /// Whether it comes to that for one: it could not be moved, or nobody was to be.
    fn is_due(&self, survivor: &Survivor, effects: &Effects<'_>) -> bool {
        if self.only_in.is_empty() {
            return true;
        }
        let facts = effects.processes.facts(survivor.identity.pid);
        facts.is_some_and(|facts| {
            let now = Survivor {
                control_group: facts.control_group,
                ..survivor.clone()
            };
            self.only_in.iter().any(|unit| now.lives_in(unit))
        })
    }
}

impl Act for StopGuests {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        let due = self.survivors.iter();
        let due = due.filter(|survivor| self.is_due(survivor, effects));
        let mut stopped = 0;
        for survivor in due {
            stop(survivor, effects, report)?;
            stopped += 1;
        }
        Ok(format!("{stopped} stopped"))
    }
}
