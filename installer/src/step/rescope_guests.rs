use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::effect::systemd::ScopeRequest;
use crate::model::{Survivor, UnitName};
use crate::toolkit::{Event, Report};

/// Moves survivors out of the services' control groups, each into a scope of its own, where no stop
/// of a service reaches them.
///
/// Not taken back: a survivor is as safe there as it can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescopeGuests {
    /// The slice of the scopes.
    pub slice: UnitName,
    /// Who goes where.
    pub moves: Vec<Move>,
}

/// One survivor's move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Who.
    pub survivor: Survivor,
    /// Where to.
    pub scope: UnitName,
}

impl fmt::Display for RescopeGuests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self
            .moves
            .iter()
            .map(|one| one.survivor.name.as_str())
            .collect();
        write!(
            formatter,
            "move {} out of the services' reach",
            super::listed(&names)
        )
    }
}

impl Act for RescopeGuests {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        for Move { survivor, scope } in &self.moves {
            // one that ended by itself meanwhile is nobody's loss, and its pid may be another's
            if !effects.lives(survivor.identity) {
                continue;
            }
            let pid = survivor.identity.pid;
            let arrived = |group: &str| group.ends_with(&format!("/{scope}"));
            let group = |effects: &Effects<'_>| {
                effects
                    .processes
                    .facts(pid)
                    .map(|facts| facts.control_group)
            };
            if !group(effects).is_some_and(|group| arrived(&group)) {
                effects.systemd.start_transient_scope(&ScopeRequest {
                    name: scope.clone(),
                    slice: self.slice.clone(),
                    description: survivor.name.clone(),
                    pids: vec![pid],
                })?;
            }
            if let Some(found) = group(effects).filter(|group| !arrived(group)) {
                return Err(StepError::NotInScope {
                    name: survivor.name.clone(),
                    pid,
                    found,
                    scope: scope.clone(),
                });
            }
            report.event(&Event::SurvivorMoved {
                name: survivor.name.clone(),
                pid,
                scope: scope.clone(),
            });
        }
        Ok(format!("{} moved", self.moves.len()))
    }
}
