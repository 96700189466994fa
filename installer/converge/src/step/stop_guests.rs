use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::Survivor;
use crate::plan::StopGuests;
use crate::report::{Event, Report};

/// Ends one survivor: the product's own way where it has one, else by signals.
pub(super) fn stop(
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

impl Act for StopGuests {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        for survivor in &self.survivors {
            stop(survivor, effects, report)?;
        }
        Ok(format!("{} stopped", self.survivors.len()))
    }
}
