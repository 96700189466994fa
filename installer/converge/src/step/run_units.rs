use super::inquiry::{CLOSELY, look, proven};
use super::{Act, Detail, HEALTH_BOUND, StepError, Undo};
use crate::effect::Effects;
use crate::effect::systemd::{JobKind, JobResult};
use crate::model::UnitName;
use crate::plan::{Evidence, Inquiry, RestartUnits, SILENCE, StartUnits, StopUnits};
use crate::report::{Event, Report};

fn run(
    kind: JobKind,
    units: &[UnitName],
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<(), StepError> {
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
    for (unit, result) in units.iter().zip(results) {
        let goes_on = match result {
            JobResult::Done => true,
            JobResult::Failed | JobResult::Timeout if kind != JobKind::Stop => {
                is_not_to_blame(unit, effects, report)?
            }
            _ => false,
        };
        if !goes_on {
            return Err(StepError::Job {
                kind,
                unit: unit.clone(),
                result,
            });
        }
    }
    Ok(())
}

/// Whether a service that did not start answers after all, or is kept from it by the user whom it
/// runs as.
fn is_not_to_blame(
    unit: &UnitName,
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<bool, StepError> {
    let deadline = effects.clock.monotonic() + HEALTH_BOUND;
    let mut inquiry = Inquiry::default();
    // at once: systemd forgets how a process ended when it starts the next
    let mut evidence = look(unit, false, &mut inquiry, effects)?;
    loop {
        match evidence {
            None | Some(Evidence::Failed(_)) => return Ok(false),
            Some(Evidence::Silent(time)) if time >= SILENCE => return Ok(false),
            Some(_) => {}
        }
        if effects.clock.monotonic() >= deadline {
            report.event(&Event::NotHeldAgainst {
                unit,
                why: inquiry.outside(),
            });
            return Ok(true);
        }
        effects.clock.pause(CLOSELY);
        // with an eye on it, so that its end is not missed while an answer is waited for
        evidence = look(unit, false, &mut inquiry, effects)?;
        if matches!(evidence, Some(Evidence::Silent(_))) {
            evidence = match proven(unit, effects.health.probe(unit), effects)? {
                Ok(_version) => return Ok(true),
                Err(silence) => silence.look(unit, &mut inquiry, effects)?,
            };
        }
    }
}

impl Act for StartUnits {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Stop {
            units: self.units.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        run(JobKind::Start, &self.units, effects, report)?;
        Ok(String::new())
    }
}

impl Act for StopUnits {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Start {
            units: self.units.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        run(JobKind::Stop, &self.units, effects, report)?;
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

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        if self.sockets.is_empty() {
            run(JobKind::Restart, &self.units, effects, report)?;
        } else {
            run(JobKind::Stop, &self.units, effects, report)?;
            // one that listens still is made anew; one that does not is started
            run(JobKind::Restart, &self.sockets, effects, report)?;
            run(JobKind::Start, &self.units, effects, report)?;
        }
        Ok(String::new())
    }
}
