use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo, listed};
use crate::effect::Effects;
use crate::effect::systemd::{JobKind, JobResult};
use crate::model::{UnitName, Version};
use crate::toolkit::Report;

/// Starts units, all jobs queued together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartUnits {
    /// Units that do not run.
    pub units: Vec<UnitName>,
}

/// Stops units, all jobs queued together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopUnits {
    /// Units that run.
    pub units: Vec<UnitName>,
}

/// Restarts services, all jobs queued together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartUnits {
    /// The services.
    pub units: Vec<UnitName>,
    /// Sockets of theirs that do not listen yet. systemd starts a socket only while its service
    /// does not run, so the services are stopped, the sockets started, and then the services.
    pub sockets: Vec<UnitName>,
    /// The version that stands when this is taken back.
    pub fallback: Option<Version>,
}

impl fmt::Display for StartUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "start {}", listed(&self.units))
    }
}

impl fmt::Display for StopUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "stop {}", listed(&self.units))
    }
}

impl fmt::Display for RestartUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "restart {}", listed(&self.units))
    }
}

fn run(kind: JobKind, units: &[UnitName], effects: &Effects<'_>) -> Result<(), StepError> {
    if units.is_empty() {
        return Ok(());
    }
    if kind != JobKind::Stop {
        for unit in units {
            // after a crash loop a start is refused until the failure is forgotten
            if effects.systemd.unit(unit)?.active_state == "failed" {
                effects.systemd.reset_failed(unit)?;
            }
        }
    }
    let results = effects.systemd.run_jobs(kind, units)?;
    match units
        .iter()
        .zip(results)
        .find(|(_, result)| *result != JobResult::Done)
    {
        Some((unit, result)) => Err(StepError::Job {
            kind,
            unit: unit.clone(),
            result,
        }),
        None => Ok(()),
    }
}

impl Act for StartUnits {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Stop {
            units: self.units.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        run(JobKind::Start, &self.units, effects)?;
        Ok(String::new())
    }
}

impl Act for StopUnits {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Start {
            units: self.units.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        run(JobKind::Stop, &self.units, effects)?;
        Ok(String::new())
    }
}

impl Act for RestartUnits {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Restart {
            units: self.units.clone(),
            started: self.sockets.clone(),
            version: self.fallback.clone(),
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        if self.sockets.is_empty() {
            run(JobKind::Restart, &self.units, effects)?;
        } else {
            run(JobKind::Stop, &self.units, effects)?;
            run(JobKind::Start, &self.sockets, effects)?;
            run(JobKind::Start, &self.units, effects)?;
        }
        Ok(String::new())
    }
}
