//! What the version before brought and this one does not: units, programs and files that go.
//!
//! Guarantees: a service that goes is stopped before anything of the new set starts, so that the two
//! never work side by side, and only once its stop is known to reach its main process alone; files go
//! when the new set is well; and each of that is reverted as any other step is.

use std::path::PathBuf;

use super::links::{program_link, shared_link};
use super::{CheckKillMode, DisableUnits, Goal, Plan, ReloadSystemd, RemoveFile, StopUnits};
use crate::model::{Found, Product, UnitName};
use crate::observe::{HostState, UnitState};

const WHY: &str = "this version has it no longer";

fn names(state: &HostState, filter: &dyn Fn(&UnitState) -> bool) -> Vec<UnitName> {
    let units = state.retired.units.iter().filter(|unit| filter(unit));
    units.map(|unit| unit.spec.name.clone()).collect()
}

/// Stops what goes: services first, since a socket that is stopped before its service loses who
/// waits at it.
pub(super) fn stop(state: &HostState, goal: &Goal, plan: &mut Plan) {
    let services = names(state, &|unit| {
        unit.facts.service.is_some() && unit.facts.is_active()
    });
    if !services.is_empty() {
        let check = CheckKillMode {
            units: services.clone(),
            stop_guests: goal.stop_guests,
        };
        plan.push(check, "systemd's word counts, not a file's");
    }
    let others = names(state, &|unit| {
        unit.facts.service.is_none() && unit.facts.is_active()
    });
    // all jobs are queued together: a socket that stays would start its service again
    let units: Vec<UnitName> = services.into_iter().chain(others).collect();
    if !units.is_empty() {
        plan.push(StopUnits { units }, WHY);
    }
}

/// Removes the files of what was stopped.
pub(super) fn remove(product: &Product, state: &HostState, plan: &mut Plan) {
    let layout = &product.layout;
    let enabled = names(state, &|unit| unit.facts.unit_file_state == "enabled");
    if !enabled.is_empty() {
        plan.push(DisableUnits { units: enabled }, WHY);
    }
    let mut any = false;
    for unit in &state.retired.units {
        let own = layout.keep_guests_drop_in(&unit.spec.name);
        let has_own = unit.drop_ins.iter().any(|drop_in| drop_in.path == own);
        if has_own || super::in_danger(unit) {
            plan.push(RemoveFile { path: own }, WHY);
            any = true;
        }
        if unit.file != Found::Missing {
            let path = layout.unit(&unit.spec.name);
            plan.push(RemoveFile { path }, WHY);
            any = true;
        }
    }
    if any {
        plan.push(ReloadSystemd {}, "so that systemd forgets the units");
    }
    for path in links(product, state) {
        plan.push(RemoveFile { path }, WHY);
    }
}

/// The links that go and are still ours: what somebody else put in their place stays.
fn links(product: &Product, state: &HostState) -> Vec<PathBuf> {
    let programs = state.retired.programs.iter();
    let programs = programs.map(|name| {
        let found = state.programs.get(name);
        (program_link(product, name), found)
    });
    let shared = state.retired.shared.iter();
    let shared = shared.map(|path| {
        let found = state.shared.get(path);
        (shared_link(product, path), found)
    });
    programs
        .chain(shared)
        .filter(|((_, target), found)| found.is_some_and(|found| found.as_ref() == Some(target)))
        .map(|((link, _), _)| link)
        .collect()
}
