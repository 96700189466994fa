use super::stop_guests::stop;
use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::effect::systemd::ScopeRequest;
use crate::plan::{Move, RescopeGuests};
use crate::report::{Event, Report};

impl RescopeGuests {
    fn rescope(&self, one: &Move, effects: &Effects<'_>) -> Result<(), StepError> {
        let Move { survivor, scope } = one;
        let pid = survivor.identity.pid;
        let arrived = |group: &str| group.ends_with(&format!("/{scope}"));
        let group = || {
            let facts = effects.processes.facts(pid);
            facts.map(|facts| facts.control_group)
        };
        if !group().is_some_and(|group| arrived(&group)) {
            let request = ScopeRequest {
                name: scope.clone(),
                slice: self.slice.clone(),
                description: survivor.name.clone(),
                pids: vec![pid],
            };
            effects
                .systemd
                .start_transient_scope(&request)
                .map_err(|source| StepError::NotMoved {
                    name: survivor.name.clone(),
                    pid,
                    source,
                })?;
        }
        match group().filter(|group| !arrived(group)) {
            Some(found) => Err(StepError::NotInScope {
                name: survivor.name.clone(),
                pid,
                found,
                scope: scope.clone(),
            }),
            None => Ok(()),
        }
    }
}

impl Act for RescopeGuests {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        for one in &self.moves {
            // one that ended by itself meanwhile is nobody's loss, and its pid may be another's
            if !effects.lives(one.survivor.identity) {
                continue;
            }
            match self.rescope(one, effects) {
                Ok(()) => report.event(&Event::SurvivorMoved {
                    name: one.survivor.name.clone(),
                    pid: one.survivor.identity.pid,
                    scope: one.scope.clone(),
                }),
                Err(_) if self.stop_guests => stop(&one.survivor, effects, report)?,
                Err(error) => return Err(error),
            }
        }
        Ok(format!("{} moved", self.moves.len()))
    }
}
