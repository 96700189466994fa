use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo};
use crate::effect::{Effects, FileImage};
use crate::model::UnitName;
use crate::toolkit::Report;

/// The text of the toolkit's own drop-in.
const TEXT: &str = "\
# Written because KillMode=process was not in force for this unit, by its file or by a drop-in:
# a restart would have killed what it started. Gone again when nothing makes it necessary.
[Service]
KillMode=process
";

/// Makes a service spare its children, by a drop-in of the toolkit's own that beats the unit file
/// and the administrator's drop-ins, which stay as they are.
///
/// Not taken back: a run that is rolled back must be able to restart the service without harm, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepGuests {
    /// The service.
    pub unit: UnitName,
    /// The drop-in.
    pub path: PathBuf,
}

impl fmt::Display for KeepGuests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "give {} KillMode=process", self.unit)
    }
}

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
