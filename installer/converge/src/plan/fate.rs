//! What becomes of protected processes.

use serde::Serialize;

use super::{Plan, Step};
use crate::model::{ProtectedProcess, UnitKind, UnitName};

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
    /// It lives in a slice or scope that is stopped with all that is in it. No plan does that to one
    /// whom it does not end first; it is told should one do it all the same.
    EndedWith {
        /// That unit.
        unit: UnitName,
    },
}

impl FateKind {
    /// Whether it runs on, as far as the plan says.
    pub const fn is_kept(&self) -> bool {
        match self {
            Self::OwnScope | Self::Moved { .. } | Self::Spared => true,
            Self::Stopped | Self::EndedWith { .. } => false,
        }
    }
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
            Self::EndedWith { unit } => return write!(formatter, "ended with {unit}"),
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

/// What has become of a protected process after some of a plan's steps.
struct Course {
    what: FateKind,
    /// Where it is by then, and is still counted to be.
    now: ProtectedProcess,
}

fn fate(plan: &Plan, protected: &ProtectedProcess) -> FateKind {
    let mut course = Course {
        what: if protected.control_group.ends_with(".scope") {
            FateKind::OwnScope
        } else {
            FateKind::Spared
        },
        now: protected.clone(),
    };
    for planned in &plan.steps {
        if !course.what.is_kept() {
            break;
        }
        course.take(&planned.step, protected);
    }
    course.what
}

impl Course {
    /// Every kind of step is named here: a new one is not compiled before it is said what it does to
    /// protected processes.
    fn take(&mut self, step: &Step, protected: &ProtectedProcess) {
        match step {
            Step::RescopeGuests(step) => {
                if let Some(one) = step.moves.iter().find(|one| one.protected == *protected) {
                    self.now.control_group = format!("/{}/{}", step.slice, one.scope);
                    self.what = FateKind::Moved {
                        scope: one.scope.clone(),
                        or_stopped: false,
                    };
                }
            }
            Step::StopGuests(step) if step.protected.contains(protected) => {
                self.stop(&step.only_in);
            }
            // with a service KillMode=process spares them, and no unit of another kind has members
            Step::StopUnits(step) => {
                let takes_along = |unit: &&UnitName| {
                    matches!(unit.kind(), UnitKind::Slice | UnitKind::Scope)
                        && self.now.lives_in(unit)
                };
                if let Some(unit) = step.units.iter().find(takes_along).cloned() {
                    self.what = FateKind::EndedWith { unit };
                }
            }
            Step::StopGuests(_)
            | Step::RestartUnits(_)
            | Step::StartUnits(_)
            | Step::StageRelease(_)
            | Step::CheckPrograms(_)
            | Step::Link(_)
            | Step::WriteUnit(_)
            | Step::KeepGuests(_)
            | Step::RemoveFile(_)
            | Step::BackUp(_)
            | Step::ReloadSystemd(_)
            | Step::CheckKillMode(_)
            | Step::EnableUnits(_)
            | Step::DisableUnits(_)
            | Step::CheckHealth(_)
            | Step::CheckProtected(_)
            | Step::CheckVacant(_)
            | Step::CheckState(_)
            | Step::StartRescue(_)
            | Step::BeginProbation(_)
            | Step::RestoreState(_)
            | Step::WriteReceipt(_)
            | Step::WriteSet(_) => {}
        }
    }

    /// It is among those whom a step ends: all, or who still lives in one of these services.
    fn stop(&mut self, only_in: &[UnitName]) {
        if only_in.is_empty() || only_in.iter().any(|unit| self.now.lives_in(unit)) {
            self.what = FateKind::Stopped;
        } else if let FateKind::Moved { or_stopped, .. } = &mut self.what {
            *or_stopped = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProcessIdentity;
    use crate::plan::{Move, Operation, RescopeGuests, StopGuests, StopUnits};

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
                or_left: false,
            },
            "their unit was stale",
        );
        let moved = |or_stopped| FateKind::Moved {
            scope: scope.clone(),
            or_stopped,
        };
        assert!(told(&plan).eq([FateKind::OwnScope, moved(false)]));
        let step = StopGuests {
            protected: vec![stale.clone()],
            only_in: vec!["toyd.service".parse().expect("a name")],
        };
        plan.push(step, "asked for");
        assert!(told(&plan).eq([FateKind::OwnScope, moved(true)]));
        let step = StopGuests {
            protected: vec![scoped.clone()],
            only_in: Vec::new(),
        };
        plan.push(step, "asked for");
        assert!(told(&plan).eq([FateKind::Stopped, moved(true)]));
    }

    #[test]
    fn one_that_lives_in_a_slice_ends_with_it_and_one_in_a_service_does_not() {
        let slice: UnitName = "toy.slice".parse().expect("a name");
        let service: UnitName = "toyd.service".parse().expect("a name");
        let guests = [
            guest("web", "/toy.slice/toy-child-1.scope"),
            guest("db", "/system.slice/toyd.service"),
        ];
        let mut plan = Plan::new(Operation::Uninstall);
        let stop = |plan: &mut Plan, unit: &UnitName| {
            let units = vec![unit.clone()];
            plan.push(StopUnits { units }, "it goes");
            let fates = fates(plan, &guests).into_iter();
            fates.map(|fate| fate.what).collect::<Vec<_>>()
        };
        let kept = [FateKind::OwnScope, FateKind::Spared];
        assert_eq!(stop(&mut plan, &service), kept);
        let ended = FateKind::EndedWith {
            unit: slice.clone(),
        };
        assert_eq!(stop(&mut plan, &slice), [ended, FateKind::Spared]);
    }
}
