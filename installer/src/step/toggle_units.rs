use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo, listed};
use crate::effect::Effects;
use crate::model::UnitName;
use crate::toolkit::Report;

/// Makes units start at boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnableUnits {
    /// Units that are not enabled.
    pub units: Vec<UnitName>,
}

/// Makes units no longer start at boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisableUnits {
    /// Units that are enabled.
    pub units: Vec<UnitName>,
}

impl fmt::Display for EnableUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "enable {}", listed(&self.units))
    }
}

impl fmt::Display for DisableUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "disable {}", listed(&self.units))
    }
}

impl Act for EnableUnits {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Disable {
            units: self.units.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        effects.systemd.enable(&self.units)?;
        Ok(String::new())
    }
}

impl Act for DisableUnits {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Enable {
            units: self.units.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        effects.systemd.disable(&self.units)?;
        Ok(String::new())
    }
}
