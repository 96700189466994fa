use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::Found;
use crate::plan::BackUp;
use crate::report::Report;

impl Act for BackUp {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Tree {
            path: self.path.clone(),
            aside: Some(self.aside.clone()),
            keep_aside: self.keep,
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        if effects.files.look(&self.path)? != Found::Missing {
            effects.files.remove(&self.aside)?;
            effects.files.rename(&self.path, &self.aside)?;
        }
        Ok(String::new())
    }
}
