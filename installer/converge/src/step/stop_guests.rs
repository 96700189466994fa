use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::ProtectedProcess;
use crate::plan::StopGuests;
use crate::report::{Event, Report};

/// Ends one protected process: the product's own way where it has one, else by signals.
pub(super) fn stop(
    protected: &ProtectedProcess,
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<(), StepError> {
    if !effects.lives(protected.identity) {
        return Ok(());
    }
    let failed = |source| StepError::NotStopped {
        name: protected.name.clone(),
        pid: protected.identity.pid,
        source,
    };
    // a product whose services are down cannot; then the kernel can
    if !effects.protected.stop(protected).unwrap_or(false) || effects.lives(protected.identity) {
        effects.processes.end(protected.identity).map_err(failed)?;
    }
    report.event(&Event::ProtectedStopped {
        name: protected.name.clone(),
        pid: protected.identity.pid,
    });
    Ok(())
}

impl Act for StopGuests {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        for protected in &self.protected {
            stop(protected, effects, report)?;
        }
        Ok(format!("{} stopped", self.protected.len()))
    }
}
