use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::plan::CheckKillMode;
use crate::report::Report;

impl Act for CheckKillMode {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        for unit in &self.units {
            let facts = effects.systemd.unit(unit)?;
            // what does not run has nobody to lose
            if !facts.keeps_children() && facts.is_active() {
                return Err(StepError::KillMode {
                    unit: unit.clone(),
                    found: facts
                        .service
                        .map(|found| found.kill_mode)
                        .unwrap_or_default(),
                    drop_ins: facts.drop_ins,
                });
            }
        }
        Ok("as systemd reports it".into())
    }
}
