use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::Version;
use crate::toolkit::Report;

/// Asks every program of a release for its version, before anything points at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckPrograms {
    /// The folder that holds them.
    pub folder: PathBuf,
    /// Their names.
    pub programs: Vec<String>,
    /// What they must say.
    pub version: Version,
}

impl fmt::Display for CheckPrograms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "see that each program says {}", self.version)
    }
}

impl Act for CheckPrograms {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        for name in &self.programs {
            let program = self.folder.join(name);
            let line = effects.programs.version_line(&program)?;
            let found = Version::from_version_line(name, &line).map_err(|source| {
                StepError::VersionLine {
                    program: program.clone(),
                    source,
                }
            })?;
            if found != self.version {
                return Err(StepError::WrongProgram {
                    program,
                    found,
                    expected: self.version.clone(),
                });
            }
        }
        Ok(format!("{} programs answer", self.programs.len()))
    }
}
