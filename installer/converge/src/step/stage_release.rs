use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::Found;
use crate::plan::StageRelease;
use crate::report::Report;

impl Act for StageRelease {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Tree {
            path: self.to.clone(),
            aside: self.aside.clone(),
            keep_aside: false,
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        let files = effects.files;
        let ready = match &self.copy_by {
            Some(copy) => {
                files.copy_tree(&self.from, copy)?;
                copy
            }
            None => &self.from,
        };
        if let Some(aside) = &self.aside
            && files.look(aside)? == Found::Missing
        {
            files.rename(&self.to, aside)?;
        }
        files.rename(ready, &self.to)?;
        Ok(String::new())
    }
}
