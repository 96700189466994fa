use super::inquiry::{look, proven};
use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::UnitName;
use crate::plan::{CheckHealth, Evidence, Inquiry};
use crate::report::{Event, Report};
use std::time::Duration;

/// The longest that the services may take from the end of their start jobs until all have given a
/// good answer.
pub const HEALTH_BOUND: Duration = Duration::from_secs(20);

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// How long services are looked at once all have answered: more than the pause after which systemd
/// starts one anew that ended right away. What comes later is for the probation.
const STEADY: Duration = Duration::from_millis(500);

/// A service's process, and how often systemd restarted it by itself.
type Life = (UnitName, u32, u32);

impl CheckHealth {
    fn wait_for_answers(
        &self,
        effects: &Effects<'_>,
        report: &mut dyn Report,
    ) -> Result<(), StepError> {
        let deadline = effects.clock.monotonic() + HEALTH_BOUND;
        let mut waited_for = self.units.clone();
        let mut inquiries = vec![Inquiry::default(); waited_for.len()];
        loop {
            let answers = effects.health.probe_all(&waited_for);
            let is_over = effects.clock.monotonic() >= deadline;
            let mut late = Vec::new();
            let asked = waited_for.into_iter().zip(inquiries).zip(answers);
            for ((unit, mut inquiry), answer) in asked {
                let silence = match proven(&unit, answer, effects)? {
                    Ok(found) if found == self.version => continue,
                    // the restart is over: who answers now is the new process
                    Ok(found) => {
                        return Err(StepError::WrongVersion {
                            unit,
                            found,
                            expected: self.version.clone(),
                        });
                    }
                    Err(silence) => silence,
                };
                let evidence = silence.look(&unit, &mut inquiry, effects)?;
                if let Some(Evidence::Failed(why)) = evidence {
                    return Err(StepError::Failed { unit, why });
                }
                if !is_over {
                    late.push((unit, inquiry));
                } else if silence.conclude(&unit, &mut inquiry, effects)?.is_some() {
                    let source = silence.source;
                    return Err(StepError::Unwell { unit, source });
                } else {
                    report.event(&Event::NotHeldAgainst {
                        unit: &unit,
                        why: inquiry.outside(),
                    });
                }
            }
            if late.is_empty() {
                return Ok(());
            }
            (waited_for, inquiries) = late.into_iter().unzip();
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
    fn see_steady(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<(), StepError> {
        let before = self.lives(effects)?;
        let mut inquiries = vec![Inquiry::default(); before.len()];
        let until = effects.clock.monotonic() + STEADY;
        loop {
            let after = self.lives(effects)?;
            let is_over = effects.clock.monotonic() >= until;
            for ((was, is), inquiry) in before.iter().zip(&after).zip(&mut inquiries) {
                if was == is {
                    continue;
                }
                let unit = &was.0;
                match look(unit, false, inquiry, effects)? {
                    None | Some(Evidence::Failed(_)) => {
                        return Err(StepError::Unsteady { unit: unit.clone() });
                    }
                    Some(_) if is_over => report.event(&Event::NotHeldAgainst {
                        unit,
                        why: inquiry.outside(),
                    }),
                    Some(_) => {}
                }
            }
            if is_over {
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

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        self.wait_for_answers(effects, report)?;
        self.see_steady(effects, report)?;
        Ok(format!("healthy, {}", self.version))
    }
}
