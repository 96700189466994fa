use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::plan::RemoveFile;
use crate::report::Report;

impl Act for RemoveFile {
    fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Put {
            path: self.path.clone(),
            before: effects.files.look(&self.path)?,
            new_folders: Vec::new(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        effects.files.remove(&self.path)?;
        Ok(String::new())
    }
}
