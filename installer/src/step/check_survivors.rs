use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::Survivor;
use crate::toolkit::{Event, Report};

/// Compares every survivor with what it was before the run: the same pid with the same start time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSurvivors {
    /// Who was there before.
    pub survivors: Vec<Survivor>,
}

impl fmt::Display for CheckSurvivors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "see that all {} that ran still run",
            self.survivors.len()
        )
    }
}

impl Act for CheckSurvivors {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        let mut names = Vec::new();
        for survivor in &self.survivors {
            let alive = effects.lives(survivor.identity);
            if !alive {
                names.push(survivor.name.clone());
            }
            report.event(&Event::SurvivorChecked {
                name: survivor.name.clone(),
                pid: survivor.identity.pid,
                alive,
            });
        }
        if names.is_empty() {
            let count = self.survivors.len();
            Ok(format!(
                "{count} of {count} alive: same pid, same start time"
            ))
        } else {
            Err(StepError::Lost { names })
        }
    }
}
