use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::toolkit::Report;

/// systemd refuses a Reload with less room than this in /run, where it keeps its state over it.
pub const RELOAD_FLOOR: u64 = 16 * 1024 * 1024;

/// Makes systemd read all unit files anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadSystemd {}

impl fmt::Display for ReloadSystemd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("make systemd read its units anew")
    }
}

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
