//! What becomes of protected processes.

use serde::Serialize;

use super::{Plan, Step};
use crate::model::{ProtectedProcess, UnitName};

/// What a plan means for one protected process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fate {
    /// Its name.
    pub name: String,
    /// Its pid.
    pub pid: u32,
    /// What becomes of it.
    #[serde(flatten)]
    pub what: FateKind,
}

/// What becomes of a protected process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FateKind {
    /// It lives in a scope of its own, which no stop of a service reaches.
    OwnScope,
    /// It is moved into a scope of its own before anything is stopped.
    Moved {
        /// That scope.
        scope: UnitName,
        /// It is ended where that cannot be done, as asked for.
        or_stopped: bool,
    },
    /// It stays in the control group of a service whose stop reaches the main process alone.
    Spared,
    /// It is ended, as asked for.
    Stopped,
}

impl std::fmt::Display for FateKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::OwnScope => "kept: own scope",
            Self::Moved {
                or_stopped: false, ..
            } => "kept: moved to its own scope first",
            Self::Moved {
                or_stopped: true, ..
            } => "kept: moved to its own scope first; stopped where that cannot be done",
            Self::Spared => "kept: its unit's stop reaches the daemon alone",
            Self::Stopped => "stopped, as asked for",
        })
    }
}

/// The fate of each protected process under a plan, in their order.
pub fn fates(plan: &Plan, protected: &[ProtectedProcess]) -> Vec<Fate> {
    protected
        .iter()
        .map(|protected| Fate {
            name: protected.name.clone(),
            pid: protected.identity.pid,
            what: fate(plan, protected),
        })
        .collect()
}

fn fate(plan: &Plan, protected: &ProtectedProcess) -> FateKind {
    for planned in &plan.steps {
        match &planned.step {
            Step::RescopeGuests(step) => {
                if let Some(one) = step.moves.iter().find(|one| one.protected == *protected) {
                    return FateKind::Moved {
                        scope: one.scope.clone(),
                        or_stopped: step.stop_guests,
                    };
                }
            }
            Step::StopGuests(step) if step.protected.contains(protected) => {
                return FateKind::Stopped;
            }
            _ => {}
        }
    }
    if protected.control_group.ends_with(".scope") {
        FateKind::OwnScope
    } else {
        FateKind::Spared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProcessIdentity;
    use crate::plan::{Move, Operation, RescopeGuests, StopGuests};

    fn guest(name: &str, control_group: &str) -> ProtectedProcess {
        ProtectedProcess {
            name: name.into(),
            id: name.into(),
            identity: ProcessIdentity {
                pid: 7,
                start_time: 9,
            },
            control_group: control_group.into(),
        }
    }

    #[test]
    fn each_guest_is_told_its_fate_by_the_plan() {
        let (scoped, stale) = (
            guest("web", "/acme.slice/acme-job-1.scope"),
            guest("db", "/system.slice/acmed-root.service"),
        );
        let mut plan = Plan::new(Operation::Update);
        let told = |plan: &Plan| {
            let guests = [scoped.clone(), stale.clone()];
            fates(plan, &guests).into_iter().map(|fate| fate.what)
        };
        assert!(told(&plan).eq([FateKind::OwnScope, FateKind::Spared]));
        let scope: UnitName = "acme-job-2.scope".parse().expect("a name");
        plan.push(
            RescopeGuests {
                slice: "acme.slice".parse().expect("a name"),
                moves: vec![Move {
                    protected: stale.clone(),
                    scope: scope.clone(),
                }],
                stop_guests: false,
            },
            "their unit was stale",
        );
        let moved = FateKind::Moved {
            scope,
            or_stopped: false,
        };
        assert!(told(&plan).eq([FateKind::OwnScope, moved]));
        let step = StopGuests {
            protected: vec![scoped.clone()],
        };
        plan.push(step, "asked for");
        assert_eq!(told(&plan).next(), Some(FateKind::Stopped));
    }
}
