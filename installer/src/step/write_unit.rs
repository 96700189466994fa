use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo};
use crate::effect::{Effects, FileImage};
use crate::model::UnitName;
use crate::toolkit::Report;

/// Writes a unit file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteUnit {
    /// The unit.
    pub unit: UnitName,
    /// Its file.
    pub path: PathBuf,
    /// The text.
    pub text: String,
}

impl fmt::Display for WriteUnit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "write {}", self.path.display())
    }
}

impl Act for WriteUnit {
    fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Put {
            path: self.path.clone(),
            before: effects.files.look(&self.path)?,
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        let image = FileImage::public(self.text.as_bytes());
        effects.files.write_whole(&self.path, &image)?;
        Ok(String::new())
    }
}
