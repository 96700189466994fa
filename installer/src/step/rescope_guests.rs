use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::effect::systemd::ScopeRequest;
use crate::plan::{Move, RescopeGuests};
use crate::report::{Event, Report};

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
