use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::FileImage;
use crate::plan::WriteUnit;
use crate::report::Report;

impl Act for WriteUnit {
    fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Put {
            path: self.path.clone(),
            before: effects.files.look(&self.path)?,
            new_folders: Vec::new(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        let image = FileImage::public(self.text.as_bytes());
        effects.files.write_whole(&self.path, &image)?;
        Ok(String::new())
    }
}
