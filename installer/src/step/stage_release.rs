use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo};
use crate::effect::{Effects, Found};
use crate::toolkit::Report;

/// Publishes the folder of a version: in one rename, so that it is there whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRelease {
    /// The unpacked release.
    pub from: PathBuf,
    /// Where it is copied to first; none when `from` lies on the right file system and may go.
    pub copy_by: Option<PathBuf>,
    /// The version's folder.
    pub to: PathBuf,
    /// Where another folder of that version goes, when there is one.
    pub aside: Option<PathBuf>,
}

impl fmt::Display for StageRelease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "lay {} down", self.to.display())
    }
}

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
