use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::FileImage;
use crate::plan::WriteReceipt;
use crate::report::Report;

impl Act for WriteReceipt {
    fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Put {
            path: self.path.clone(),
            before: effects.files.look(&self.path)?,
            new_folders: Vec::new(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        let image = FileImage::public(self.receipt.to_json()?);
        effects.files.write_whole(&self.path, &image)?;
        Ok(String::new())
    }
}
