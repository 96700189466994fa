use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::Version;
use crate::plan::CheckPrograms;
use crate::report::Report;

impl Act for CheckPrograms {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        self.ask(effects)
    }
}

impl CheckPrograms {
    /// Asks the programs, and says how many answered.
    ///
    /// # Errors
    /// [`StepError`], for the first that does not say the right version.
    pub fn ask(&self, effects: &Effects<'_>) -> Result<Detail, StepError> {
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
