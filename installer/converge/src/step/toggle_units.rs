use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::plan::{DisableUnits, EnableUnits};
use crate::report::Report;

impl Act for EnableUnits {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Disable {
            units: self.units.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        effects.systemd.enable(&self.units)?;
        Ok(String::new())
    }
}

impl Act for DisableUnits {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Enable {
            units: self.units.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        effects.systemd.disable(&self.units)?;
        Ok(String::new())
    }
}
