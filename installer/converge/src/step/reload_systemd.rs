use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::effect::systemd::RELOAD_FLOOR;
use crate::plan::ReloadSystemd;
use crate::report::Report;
use std::path::Path;

impl Act for ReloadSystemd {
    fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError> {
        let free = effects.files.free_bytes(Path::new("/run"))?;
        if free < RELOAD_FLOOR {
            return Err(StepError::RunIsFull { free });
        }
        Ok(Undo::Reload)
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        effects.systemd.reload()?;
        Ok(String::new())
    }
}
