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

/// How long services are looked at once all have answered, for one that ends right after. What comes
/// later is for the probation.
const STEADY: Duration = Duration::from_millis(500);

/// The same for services that ran before as they are, and are on no probation: whatever ends them later
/// would have ended them without this operation, and systemd starts them anew.
const STEADY_AS_BEFORE: Duration = Duration::from_millis(100);

/// A service's process, and how often systemd restarted it by itself.
type Life = (UnitName, u32, u32);

fn lives(units: &[UnitName], effects: &Effects<'_>) -> Result<Vec<Life>, StepError> {
    units
        .iter()
        .map(|unit| {
            let service = effects.systemd.unit(unit)?.service;
            let life = service.map(|service| (service.main_pid, service.restarts));
            let (main_pid, restarts) = life.unwrap_or_default();
            Ok((unit.clone(), main_pid, restarts))
        })
        .collect()
}

impl CheckHealth {
    /// Gives the services as they were when they were asked for the answer that was good.
    fn wait_for_answers(
        &self,
        effects: &Effects<'_>,
        report: &mut dyn Report,
    ) -> Result<Vec<Life>, StepError> {
        let mut answered = Vec::new();
        let deadline = effects.clock.monotonic() + HEALTH_BOUND;
        let mut waited_for = self.units.clone();
        let mut inquiries = vec![Inquiry::default(); waited_for.len()];
        loop {
            let asked = lives(&waited_for, effects)?;
            let answers = effects.health.probe_all(&waited_for);
            let is_over = effects.clock.monotonic() >= deadline;
            let mut late = Vec::new();
            let asked = asked.into_iter().zip(inquiries).zip(answers);
            for ((life, mut inquiry), answer) in asked {
                let unit = life.0.clone();
                let silence = match proven(&unit, answer, effects)? {
                    Ok(found) if found == self.version => {
                        answered.push(life);
                        continue;
                    }
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
                    answered.push(life);
                }
            }
            if late.is_empty() {
                return Ok(answered);
            }
            (waited_for, inquiries) = late.into_iter().unzip();
            effects.clock.pause(PAUSE);
        }
    }

    /// Sees that nobody who answered ends right after.
    fn see_steady(
        &self,
        before: &[Life],
        effects: &Effects<'_>,
        report: &mut dyn Report,
    ) -> Result<(), StepError> {
        let units: Vec<UnitName> = before.iter().map(|life| life.0.clone()).collect();
        let mut inquiries = vec![Inquiry::default(); before.len()];
        let steady = if self.ran_before {
            STEADY_AS_BEFORE
        } else {
            STEADY
        };
        let until = effects.clock.monotonic() + steady;
        loop {
            let after = lives(&units, effects)?;
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
        let answered = self.wait_for_answers(effects, report)?;
        self.see_steady(&answered, effects, report)?;
        Ok(format!("healthy, {}", self.version))
    }
}
