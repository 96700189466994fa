use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::ProtectedProcess;
use crate::plan::StopGuests;
use crate::report::{Event, Report};

/// Ends one protected process: the product's own way where it has one, else by signals.
fn stop(
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

impl StopGuests {
    /// Whether it comes to that for one: it could not be moved, or nobody was to be.
    fn is_due(&self, protected: &ProtectedProcess, effects: &Effects<'_>) -> bool {
        if self.only_in.is_empty() {
            return true;
        }
        let facts = effects.processes.facts(protected.identity.pid);
        facts.is_some_and(|facts| {
            let now = ProtectedProcess {
                control_group: facts.control_group,
                ..protected.clone()
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
        let due = self.protected.iter();
        let due = due.filter(|protected| self.is_due(protected, effects));
        let mut stopped = 0;
        for protected in due {
            stop(protected, effects, report)?;
            stopped += 1;
        }
        Ok(format!("{stopped} stopped"))
    }
}
