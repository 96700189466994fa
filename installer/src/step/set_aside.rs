use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo};
use crate::effect::{Effects, Found};
use crate::toolkit::Report;

/// Moves something out of the way, on its own file system, so that it can come back in one rename.
/// It is deleted when the run holds, unless it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// What.
    pub path: PathBuf,
    /// Where it goes.
    pub aside: PathBuf,
    /// Whether it stays there: for what people made.
    pub keep: bool,
}

impl fmt::Display for SetAside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keep {
            write!(
                formatter,
                "move {} to {}",
                self.path.display(),
                self.aside.display()
            )
        } else {
            write!(formatter, "remove {}", self.path.display())
        }
    }
}

impl Act for SetAside {
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
