//! From any state to nothing.

use super::mend::mend;
use super::{
    BackUp, CheckKillMode, CheckVacant, Cleanup, DisableUnits, Operation, Plan, ReloadSystemd,
    RemoveFile, StopGuests, StopUnits, in_danger,
};
use crate::model::{Found, Product, UnitKind, UnitName};
use crate::observe::{HostState, UnitState};

/// Whether state goes, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// State, caches and configuration stay.
    Keep,
    /// They go.
    State,
}

/// The plan that removes the product. Everything is stopped before the first unit file goes, and
/// systemd reads its units only after that: a service whose file is gone is stopped with
/// `KillMode=control-group`. What cannot come back goes last, when all else held, and the receipt
/// at the very end. Protected processes that the host has are ended first: whoever calls has been
/// told to.
pub fn uninstall(product: &Product, state: &HostState, purge: Purge) -> Plan {
    let mut plan = Plan::new(Operation::Uninstall);
    let names = |filter: &dyn Fn(&UnitState) -> bool| -> Vec<UnitName> {
        let units = state.units.iter().filter(|unit| filter(unit));
        units.map(|unit| unit.spec.name.clone()).collect()
    };
    if !state.protected.is_empty() {
        plan.push(
            StopGuests {
                protected: state.protected.clone(),
            },
            "asked for",
        );
    }
    let stop_guests = !state.protected.is_empty();
    mend(product, state, &[], stop_guests, &mut plan);
    let is_slice = |unit: &UnitState| unit.spec.name.kind() == UnitKind::Slice;
    let daemons = names(&|unit| unit.facts.is_active() && unit.spec.stateful);
    if !daemons.is_empty() {
        let check = CheckKillMode {
            units: daemons,
            stop_guests,
        };
        plan.push(check, "systemd's word counts, not a file's");
    }
    let doors_first = names(&|unit| unit.facts.is_active() && !is_slice(unit));
    if !doors_first.is_empty() {
        plan.push(StopUnits { units: doors_first }, "before their files go");
    }
    // a slice takes along what is in it: not before nobody can come any more
    plan.push(CheckVacant {}, "one may have come since the first look");
    let slices = names(&|unit| unit.facts.is_active() && is_slice(unit));
    if !slices.is_empty() {
        plan.push(StopUnits { units: slices }, "it is empty");
    }
    let enabled = names(&|unit| unit.facts.unit_file_state == "enabled");
    if !enabled.is_empty() {
        plan.push(DisableUnits { units: enabled }, "before their files go");
    }
    remove_files(product, state, &mut plan);
    clean_up(product, state, purge, &mut plan);
    plan
}

fn remove_files(product: &Product, state: &HostState, plan: &mut Plan) {
    let layout = &product.layout;
    for unit in &state.units {
        let own = layout.keep_guests_drop_in(&unit.spec.name);
        if in_danger(unit) || unit.drop_ins.iter().any(|drop_in| drop_in.path == own) {
            plan.push(RemoveFile { path: own }, "written by this software");
        }
        if unit.file != Found::Missing {
            let path = layout.unit(&unit.spec.name);
            plan.push(RemoveFile { path }, "written by this software");
        }
    }
    for program in &product.programs {
        if state
            .programs
            .get(&program.name)
            .is_some_and(Option::is_some)
        {
            let path = layout.program(&program.name);
            plan.push(RemoveFile { path }, "written by this software");
        }
    }
    for path in &product.shared {
        if state.shared.get(path).is_some_and(Option::is_some) {
            let path = layout.shared(path);
            plan.push(RemoveFile { path }, "written by this software");
        }
    }
    if state.current.is_some() || !state.versions.is_empty() {
        let mut aside = layout.versions.as_os_str().to_owned();
        aside.push(".removed");
        plan.push(
            BackUp {
                path: layout.versions.clone(),
                aside: aside.into(),
                keep: false,
            },
            "every version of it",
        );
    }
    if !plan.is_empty() {
        plan.push(ReloadSystemd {}, "so that systemd forgets the units");
    }
}

fn clean_up(product: &Product, state: &HostState, purge: Purge, plan: &mut Plan) {
    let layout = &product.layout;
    let mut cleanup: Vec<Cleanup> = product
        .units
        .iter()
        .filter_map(|unit| {
            let own = layout.keep_guests_drop_in(&unit.name);
            own.parent().map(|folder| Cleanup::if_empty(folder.into()))
        })
        .collect();
    cleanup.push(Cleanup::whole(layout.versions.clone()));
    if purge == Purge::State {
        cleanup.extend(layout.product_state.iter().cloned().map(Cleanup::whole));
        cleanup.push(Cleanup::whole(layout.keys()));
        cleanup.push(Cleanup::whole(layout.roots()));
        cleanup.push(Cleanup::whole(layout.seen()));
        cleanup.push(Cleanup::whole(layout.config_file()));
    }
    for path in &product.shared {
        let folder = layout.shared(path);
        cleanup.extend(
            folder
                .parent()
                .map(|folder| Cleanup::if_empty(folder.into())),
        );
    }
    let versions = state.sets.iter();
    cleanup.extend(versions.map(|version| Cleanup::whole(layout.set(version))));
    cleanup.push(Cleanup::whole(layout.probation()));
    cleanup.push(Cleanup::whole(layout.receipt()));
    cleanup.push(Cleanup::if_empty(layout.keys()));
    cleanup.push(Cleanup::if_empty(layout.roots()));
    cleanup.push(Cleanup::if_empty(layout.config.clone()));
    plan.cleanup = cleanup;
}
