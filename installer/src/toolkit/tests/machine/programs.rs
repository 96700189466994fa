//! The programs of a release, and what they say.

use std::io;
use std::path::{Path, PathBuf};

use banger_installer_host::schema_of;

use super::Machine;
use crate::effect::{ProgramError, Programs, Question, Said};
use crate::model::StateAnswer;

impl Machine {
    /// As whom programs were asked of state since the last question.
    pub(in super::super) fn questions(&self) -> Vec<Option<(u32, u32)>> {
        self.looks.questions.take()
    }
}

impl Programs for Machine {
    fn version_line(&self, program: &Path) -> Result<String, ProgramError> {
        let text = self.ground.text(program).ok_or_else(|| ProgramError::Run {
            program: program.into(),
            source: io::ErrorKind::NotFound.into(),
        })?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    fn say(&self, question: &Question<'_>) -> Result<Said, ProgramError> {
        let text = self.ground.text(question.program).unwrap_or_default();
        self.looks.questions.borrow_mut().push(question.user);
        let behaviour = text.lines().nth(1).unwrap_or_default();
        let record = self.ground.text(&self.record()).unwrap_or_default();
        let found = schema_of(record.as_bytes()).unwrap_or(1);
        let answer = match behaviour.rsplit('-').next().unwrap_or_default() {
            "migrates" if found == 1 => StateAnswer::WillMigrate { from: 1, to: 2 },
            "strict" if found > 1 => StateAnswer::Cannot { found, reads: 1 },
            "migrates" | "strict" => StateAnswer::Compatible,
            "babbles" => {
                let text = "let me see".into();
                return Ok(Said {
                    text,
                    code: Some(0),
                });
            }
            // of a version that does not know the question
            _ => {
                let text = String::new();
                return Ok(Said {
                    text,
                    code: Some(2),
                });
            }
        };
        Ok(Said {
            text: answer.to_line(),
            code: Some(answer.exit_code().into()),
        })
    }

    fn own(&self) -> Option<PathBuf> {
        self.own_program.borrow().clone()
    }
}
