//! What is started and restarted, and how it is seen that it is well.

use std::path::Path;

use super::goal::owner_changes;
use super::{
    CheckHealth, CheckKillMode, CheckProtected, Goal, Plan, RestartUnits, StartUnits, mend,
};
use crate::model::{Product, UnitKind, UnitName};
use crate::observe::{HostState, UnitState};
use crate::unit;

pub(super) fn run(
    product: &Product,
    state: &HostState,
    goal: &Goal,
    written: &[UnitName],
    plan: &mut Plan,
) {
    let names = |filter: &dyn Fn(&&UnitState) -> bool| -> Vec<UnitName> {
        let units = state.units.iter().filter(filter);
        units.map(|unit| unit.spec.name.clone()).collect()
    };
    let changed = goal.stage.is_some()
        || state.current.as_deref() != Some(Path::new(&goal.version.to_string()));
    let must_restart = |unit: &UnitState| {
        unit.spec.stateful
            && unit.facts.is_active()
            && (changed
                || goal.restart
                || written.contains(&unit.spec.name)
                || state.answers.get(&unit.spec.name) != Some(&goal.version))
    };
    let restart = names(&|unit| must_restart(unit));
    // a socket keeps the owner that it was made for until it is made anew
    let owner_changes = owner_changes(state, goal);
    let runs = |service: &str| {
        let mut units = state.units.iter();
        units.any(|unit| unit.spec.name.as_str() == service && unit.facts.is_active())
    };
    let deaf = names(&|unit| {
        unit.spec.name.kind() == UnitKind::Socket
            && (owner_changes || !unit.facts.is_active())
            && runs(&service_of(&unit.spec.name, goal))
    });
    // a socket cannot be started while its service runs: then the services go down for it
    let (restart, sockets) = if deaf.is_empty() {
        (restart, Vec::new())
    } else {
        let running = names(&|unit| unit.spec.stateful && unit.facts.is_active());
        (running, deaf)
    };
    let start = names(&|unit| {
        unit.spec.is_running(goal.receipt.auto_update)
            && !unit.facts.is_active()
            && !sockets.contains(&unit.spec.name)
    });
    let touched = !restart.is_empty() || !start.is_empty();
    if !restart.is_empty() {
        let running = state
            .current
            .as_ref()
            .and_then(|current| current.to_str()?.parse().ok());
        if written.is_empty() {
            plan.push(
                CheckKillMode {
                    units: restart.clone(),
                    stop_guests: goal.stop_guests,
                },
                "systemd's word counts, not a file's",
            );
        }
        plan.push(
            RestartUnits {
                units: restart,
                sockets,
                fallback: running,
            },
            if goal.restart {
                "asked for"
            } else {
                "they run what was there before"
            },
        );
    }
    if !start.is_empty() {
        plan.push(StartUnits { units: start }, "they do not run");
    }
    if touched {
        plan.push(
            CheckHealth {
                units: product.stateful_services().cloned().collect(),
                version: goal.version.clone(),
            },
            "a job that is done says nothing about health",
        );
    }
    if !state.protected.is_empty() && !plan.is_empty() {
        plan.push(
            CheckProtected {
                protected: state.protected.clone(),
                known: state.known.clone(),
                may_end: if goal.stop_guests {
                    mend::endangered(state, &goal.units)
                } else {
                    Vec::new()
                },
            },
            "none may be lost",
        );
    }
}

/// The service that a socket starts: `Service=`, else the one of its name (systemd.socket(5)).
fn service_of(socket: &UnitName, goal: &Goal) -> String {
    let text = goal.units.iter().find(|rendered| rendered.unit == *socket);
    let parsed = text.and_then(|rendered| unit::parse(&rendered.text).ok());
    let named = parsed.and_then(|parsed| {
        let last = parsed.values("Socket", "Service").last().copied()?;
        Some(last.to_owned())
    });
    named.unwrap_or_else(|| {
        let name = socket.as_str();
        let stem = name.strip_suffix(".socket").unwrap_or(name);
        format!("{stem}.service")
    })
}
