//! Whether a version can read the state that lies on a host: what its program answers when asked.

use serde::{Deserialize, Serialize};

/// The schema of the line.
const STATE_ANSWER_SCHEMA: u32 = 1;

/// What a program of a version says of the state that it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum StateAnswer {
    /// It reads and writes the state as it is.
    Compatible,
    /// It reads the state, and writes it in another format once the version is off probation.
    WillMigrate {
        /// The schema of the state.
        from: u32,
        /// The schema that it will have.
        to: u32,
    },
    /// It cannot read the state.
    Cannot {
        /// The schema of the state.
        found: u32,
        /// The highest schema that the version reads.
        reads: u32,
    },
}

/// An answer that is none.
#[derive(Debug, thiserror::Error)]
pub enum StateAnswerError {
    /// Not a line of that shape.
    #[error("it says {said:?}, which is no answer")]
    Shape {
        /// The beginning of what it said.
        said: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A line of another schema.
    #[error("its answer has schema {0}; this program reads {STATE_ANSWER_SCHEMA}")]
    Schema(u32),
    /// The exit code belongs to another answer.
    #[error("it answers {answer} and exits with {code:?}")]
    Code {
        /// The answer, as the line has it.
        answer: String,
        /// The exit code; none when a signal ended it.
        code: Option<i32>,
    },
}

#[derive(Serialize, Deserialize)]
struct Line {
    schema: u32,
    #[serde(flatten)]
    answer: StateAnswer,
}

impl StateAnswer {
    /// The exit code that belongs to it: 0, 3 and 78 (`EX_CONFIG`, sysexits.h).
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Compatible => 0,
            Self::WillMigrate { .. } => 3,
            Self::Cannot { .. } => 78,
        }
    }

    /// The line that a program prints, newline included.
    pub fn to_line(self) -> String {
        let line = Line {
            schema: STATE_ANSWER_SCHEMA,
            answer: self,
        };
        let text = serde_json::to_string(&line).unwrap_or_default();
        format!("{text}\n")
    }

    /// Reads what a program printed before it exited with `code`. None when it said nothing at all and
    /// exited: that is what a version does that does not know the question.
    ///
    /// # Errors
    /// [`StateAnswerError`].
    pub fn parse(said: &str, code: Option<i32>) -> Result<Option<Self>, StateAnswerError> {
        if said.is_empty() && code.is_some_and(|code| code != 0) {
            return Ok(None);
        }
        let shape = |source| StateAnswerError::Shape {
            said: said.chars().take(80).collect(),
            source,
        };
        let schema = super::schema_of(said.as_bytes()).map_err(shape)?;
        if schema != STATE_ANSWER_SCHEMA {
            return Err(StateAnswerError::Schema(schema));
        }
        let Line { answer, .. } = serde_json::from_str(said).map_err(shape)?;
        if code != Some(answer.exit_code().into()) {
            let answer = said.trim().to_owned();
            return Err(StateAnswerError::Code { answer, code });
        }
        Ok(Some(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_read_back_with_its_exit_code() {
        for (answer, line) in [
            (
                StateAnswer::Compatible,
                r#"{"schema":1,"answer":"compatible"}"#,
            ),
            (
                StateAnswer::WillMigrate { from: 1, to: 2 },
                r#"{"schema":1,"answer":"will-migrate","from":1,"to":2}"#,
            ),
            (
                StateAnswer::Cannot { found: 2, reads: 1 },
                r#"{"schema":1,"answer":"cannot","found":2,"reads":1}"#,
            ),
        ] {
            assert_eq!(answer.to_line(), format!("{line}\n"));
            let code = Some(answer.exit_code().into());
            let read = StateAnswer::parse(&answer.to_line(), code).expect(line);
            assert_eq!(read, Some(answer));
        }
    }

    #[test]
    fn a_program_that_does_not_know_the_question_says_nothing() {
        for code in [1, 2, 78] {
            assert_eq!(StateAnswer::parse("", Some(code)).expect("silence"), None);
        }
    }

    #[test]
    fn nothing_but_an_answer_is_taken_for_one() {
        for (said, code) in [
            ("", Some(0)),
            ("", None),
            ("yes\n", Some(0)),
            ("{}\n", Some(0)),
            (r#"{"schema":2,"answer":"compatible"}"#, Some(0)),
            (r#"{"schema":1,"answer":"perhaps"}"#, Some(0)),
            (r#"{"schema":1,"answer":"compatible"}"#, Some(78)),
            (r#"{"schema":1,"answer":"compatible"}"#, None),
            (
                r#"{"schema":1,"answer":"cannot","found":2,"reads":1}"#,
                Some(0),
            ),
            (r#"{"schema":1,"answer":"cannot"}"#, Some(78)),
        ] {
            assert!(StateAnswer::parse(said, code).is_err(), "{said} {code:?}");
        }
    }
}
