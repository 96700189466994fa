use super::restore::restore;
use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::FileImage;
use crate::plan::{BeginProbation, RestoreState};
use crate::report::Report;

impl Act for BeginProbation {
    fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Probation {
            path: self.path.clone(),
            before: effects.files.look(&self.path)?,
            state: self.probation.state.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        let image = FileImage::private(self.probation.to_json()?);
        effects.files.write_whole(&self.path, &image)?;
        Ok(Detail::new())
    }
}

impl Act for RestoreState {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        // the version that is left reads the formats of the one before, too
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        Ok(format!("{} put back", restore(&self.files, effects)?))
    }
}
