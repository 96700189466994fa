use super::stop_guests::stop;
use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::{ProtectedProcess, UnitName};
use crate::plan::CheckKillMode;
use crate::report::Report;

/// Those who live in a service's control group now.
fn in_reach(unit: &UnitName, effects: &Effects<'_>) -> Result<Vec<ProtectedProcess>, StepError> {
    let mut all = effects
        .protected
        .list()
        .map_err(StepError::ProtectedProcesses)?;
    all.retain(|protected| protected.lives_in(unit));
    Ok(all)
}

impl Act for CheckKillMode {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        for unit in &self.units {
            let facts = effects.systemd.unit(unit)?;
            // what does not run has nobody to lose
            if facts.spares_children() || !facts.is_active() {
                continue;
            }
            let endangered = in_reach(unit, effects)?;
            if !self.stop_guests {
                return Err(StepError::KillMode {
                    unit: unit.clone(),
                    found: facts
                        .service
                        .map(|found| found.kill_mode)
                        .unwrap_or_default(),
                    drop_ins: facts.drop_ins,
                    names: endangered.into_iter().map(|one| one.name).collect(),
                });
            }
            for protected in &endangered {
                stop(protected, effects, report)?;
            }
        }
        Ok("as systemd reports it".into())
    }
}
