use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::effect::systemd::{JobKind, JobResult};
use crate::model::UnitName;
use crate::plan::{RestartUnits, StartUnits, StopUnits};
use crate::report::Report;

fn run(kind: JobKind, units: &[UnitName], effects: &Effects<'_>) -> Result<(), StepError> {
    if units.is_empty() {
        return Ok(());
    }
    if kind != JobKind::Stop {
        for unit in units {
            // after a crash loop a start is refused until the failure is forgotten
            if effects.systemd.unit(unit)?.active_state == "failed" {
                effects.systemd.reset_failed(unit)?;
            }
        }
    }
    let results = effects.systemd.run_jobs(kind, units)?;
    match units
        .iter()
        .zip(results)
        .find(|(_, result)| *result != JobResult::Done)
    {
        Some((unit, result)) => Err(StepError::Job {
            kind,
            unit: unit.clone(),
            result,
        }),
        None => Ok(()),
    }
}

impl Act for StartUnits {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Stop {
            units: self.units.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        run(JobKind::Start, &self.units, effects)?;
        Ok(String::new())
    }
}

impl Act for StopUnits {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Start {
            units: self.units.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        run(JobKind::Stop, &self.units, effects)?;
        Ok(String::new())
    }
}

impl Act for RestartUnits {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Restart {
            units: self.units.clone(),
            started: self.sockets.clone(),
            version: self.fallback.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        if self.sockets.is_empty() {
            run(JobKind::Restart, &self.units, effects)?;
        } else {
            run(JobKind::Stop, &self.units, effects)?;
            run(JobKind::Start, &self.sockets, effects)?;
            run(JobKind::Start, &self.units, effects)?;
        }
        Ok(String::new())
    }
}
