use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::FileImage;
use crate::plan::KeepGuests;
use crate::report::Report;

/// The text of the toolkit's own drop-in.
const TEXT: &str = "\
# Written because KillMode=process was not in force for this unit, by its file or by a drop-in:
# a restart would have killed what it started. Gone again when nothing makes it necessary.
[Service]
KillMode=process
";

impl Act for KeepGuests {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        effects
            .files
            .write_whole(&self.path, &FileImage::public(TEXT))?;
        Ok(format!("by {}", self.path.display()))
    }
}
