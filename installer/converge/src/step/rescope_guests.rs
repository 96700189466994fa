use std::time::Duration;

use super::stop_guests::stop;
use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::effect::systemd::ScopeRequest;
use crate::plan::{Move, RescopeGuests};
use crate::report::{Event, Report};

/// How long whoever started a process may take to move it into its scope.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks whether that is done.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether it needs no move any more: the service that started it was about to do the same, or it has
/// ended, which is nobody's loss.
fn is_moved_by_another(one: &Move, effects: &Effects<'_>) -> bool {
    let Move { protected, scope } = one;
    let until = effects.clock.monotonic() + PATIENCE;
    loop {
        let facts = effects.processes.facts(protected.identity.pid);
        let alive = facts.filter(|facts| facts.start_time == protected.identity.start_time);
        match alive {
            None => return true,
            Some(facts) if facts.control_group.ends_with(&format!("/{scope}")) => return true,
            Some(_) if effects.clock.monotonic() >= until => return false,
            Some(_) => effects.clock.pause(PAUSE),
        }
    }
}

impl RescopeGuests {
    fn rescope(&self, one: &Move, effects: &Effects<'_>) -> Result<(), StepError> {
        let Move { protected, scope } = one;
        let pid = protected.identity.pid;
        let arrived = |group: &str| group.ends_with(&format!("/{scope}"));
        let facts = || effects.processes.facts(pid);
        if !facts().is_some_and(|facts| arrived(&facts.control_group)) {
            let request = ScopeRequest {
                name: scope.clone(),
                slice: self.slice.clone(),
                description: protected.name.clone(),
                processes: vec![protected.identity],
            };
            let moved = effects.systemd.start_transient_scope(&request);
            if moved.is_err() && is_moved_by_another(one, effects) {
                return Ok(());
            }
            moved.map_err(|source| StepError::NotMoved {
                name: protected.name.clone(),
                pid,
                source,
            })?;
        }
        // where systemd was told a number alone, this shows whom it moved
        let Some(facts) = facts() else {
            return Ok(());
        };
        if facts.start_time != protected.identity.start_time {
            return if arrived(&facts.control_group) {
                Err(StepError::OtherMoved {
                    name: protected.name.clone(),
                    pid,
                    scope: scope.clone(),
                })
            } else {
                Ok(())
            };
        }
        if arrived(&facts.control_group) {
            return Ok(());
        }
        Err(StepError::NotInScope {
            name: protected.name.clone(),
            pid,
            found: facts.control_group,
            scope: scope.clone(),
        })
    }
}

impl Act for RescopeGuests {
    fn prepare(&self, _effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Nothing)
    }

    fn act(&self, effects: &Effects<'_>, report: &mut dyn Report) -> Result<Detail, StepError> {
        for one in &self.moves {
            // one that exited meanwhile is nobody's loss, and its pid may be another's
            if !effects.lives(one.protected.identity) {
                continue;
            }
            match self.rescope(one, effects) {
                Ok(()) => report.event(&Event::ProtectedMoved {
                    name: one.protected.name.clone(),
                    pid: one.protected.identity.pid,
                    scope: one.scope.clone(),
                }),
                Err(_) if self.stop_guests => stop(&one.protected, effects, report)?,
                Err(error) => return Err(error),
            }
        }
        Ok(format!("{} moved", self.moves.len()))
    }
}
