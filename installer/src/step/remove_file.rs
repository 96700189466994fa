use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::toolkit::Report;

/// Removes a small file or a link: a unit file, a drop-in, a program's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveFile {
    /// The file.
    pub path: PathBuf,
}

impl fmt::Display for RemoveFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "remove {}", self.path.display())
    }
}

impl Act for RemoveFile {
    fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Put {
            path: self.path.clone(),
            before: effects.files.look(&self.path)?,
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        effects.files.remove(&self.path)?;
        Ok(String::new())
    }
}
