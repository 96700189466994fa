use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::{FileImage, Found, SavedFile};
use crate::plan::{BeginProbation, RestoreState};
use crate::report::Report;

/// Puts back each file that the version before could not read. Gives their number.
pub(super) fn restore(files: &[SavedFile], effects: &Effects<'_>) -> Result<usize, StepError> {
    let mut restored = 0;
    for saved in files {
        // one that is gone was removed with what it told of: that is no format
        if let Found::File(now) = effects.files.look(&saved.path)?
            && saved.is_outgrown_by(now.contents.as_bytes())
        {
            effects.files.write_whole(&saved.path, &saved.image)?;
            restored += 1;
        }
    }
    Ok(restored)
}

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
