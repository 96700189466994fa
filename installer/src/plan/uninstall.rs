//! From any state to nothing.

use super::{
    Cleanup, DisableUnits, Operation, Plan, ReloadSystemd, RemoveFile, SetAside, StopUnits,
};
use crate::model::{Found, Product, UnitName};
use crate::observe::HostState;

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
/// at the very end.
pub fn uninstall(product: &Product, state: &HostState, purge: Purge) -> Plan {
    let mut plan = Plan::new(Operation::Uninstall);
    let names = |filter: &dyn Fn(&crate::observe::UnitState) -> bool| -> Vec<UnitName> {
        let units = state.units.iter().filter(|unit| filter(unit));
        units.map(|unit| unit.spec.name.clone()).collect()
    };
    let running = names(&|unit| unit.facts.is_active());
    if !running.is_empty() {
        plan.push(StopUnits { units: running }, "before their files go");
    }
    let enabled = names(&|unit| unit.facts.unit_file_state == "enabled");
    if !enabled.is_empty() {
        plan.push(DisableUnits { units: enabled }, "before their files go");
    }
    remove_files(product, state, &mut plan);
    clean_up(product, purge, &mut plan);
    plan
}

fn remove_files(product: &Product, state: &HostState, plan: &mut Plan) {
    let layout = &product.layout;
    for unit in &state.units {
        let own = layout.keep_guests_drop_in(&unit.spec.name);
        if unit.drop_ins.iter().any(|drop_in| drop_in.path == own) {
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
    if state.current.is_some() || !state.versions.is_empty() {
        let mut aside = layout.versions.as_os_str().to_owned();
        aside.push(".removed");
        plan.push(
            SetAside {
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

fn clean_up(product: &Product, purge: Purge, plan: &mut Plan) {
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
        cleanup.push(Cleanup::whole(layout.config_file()));
    }
    cleanup.push(Cleanup::whole(layout.receipt()));
    cleanup.push(Cleanup::if_empty(layout.keys()));
    cleanup.push(Cleanup::if_empty(layout.config.clone()));
    plan.cleanup = cleanup;
}
