use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo, listed};
use crate::effect::Effects;
use crate::model::UnitName;
use crate::toolkit::Report;

/// Asks systemd whether a stop of a service would reach its main process alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckKillMode {
    /// The services.
    pub units: Vec<UnitName>,
}

impl fmt::Display for CheckKillMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "see that KillMode=process is in force for {}",
            listed(&self.units)
        )
    }
}

impl Act for CheckKillMode {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        for unit in &self.units {
            let facts = effects.systemd.unit(unit)?;
            // what does not run has nobody to lose
            if !facts.keeps_children() && facts.is_active() {
                return Err(StepError::KillMode {
                    unit: unit.clone(),
                    found: facts
                        .service
                        .map(|found| found.kill_mode)
                        .unwrap_or_default(),
                    drop_ins: facts.drop_ins,
                });
            }
        }
        Ok("as systemd reports it".into())
    }
}
