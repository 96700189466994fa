use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::plan::CheckVacant;
use crate::report::Report;

impl Act for CheckVacant {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        let left = effects
            .protected
            .list()
            .map_err(StepError::ProtectedProcesses)?;
        if left.is_empty() {
            return Ok(Detail::new());
        }
        let names = left.into_iter().map(|protected| protected.name).collect();
        Err(StepError::StillThere { names })
    }
}
