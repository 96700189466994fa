use super::{Act, Detail, StepError, Undo};
use crate::effect::{Effects, Question};
use crate::model::StateAnswer;
use crate::plan::CheckState;
use crate::report::Report;

impl Act for CheckState {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        for migration in &self.migrations {
            let said = effects.programs.say(&Question {
                program: &migration.program,
                words: &migration.words,
                user: migration.user,
            })?;
            let answer = StateAnswer::parse(&said.text, said.code);
            let (from, to) = (migration.from, migration.to);
            if !matches!(answer, Ok(Some(found)) if found == StateAnswer::WillMigrate { from, to })
            {
                return Err(StepError::StateChanged {
                    unit: migration.unit.clone(),
                });
            }
        }
        Ok(String::new())
    }
}
