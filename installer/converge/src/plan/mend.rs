//! What is done about a unit whose stop would kill.

use super::staleness::{in_danger, needs_own_drop_in, shadow};
use super::{
    BackUp, CheckKillMode, Goal, KeepGuests, Move, Plan, ReloadSystemd, RemoveFile, Rendered,
    RescopeGuests,
};
use crate::model::{Product, ProtectedProcess, UnitName};
use crate::observe::{HostState, UnitState};
use crate::unit;

/// Before anything else is done to the services: nothing that stops them, a rollback included, may
/// reach their children.
pub(super) fn mend(
    product: &Product,
    state: &HostState,
    texts: &[Rendered],
    stop_guests: bool,
    plan: &mut Plan,
) {
    let shadows = state.units.iter().filter_map(|unit| {
        let by = shadow(&product.layout, unit)?;
        Some((unit, by))
    });
    let mut any_moved = false;
    for (unit, by) in shadows {
        any_moved = true;
        plan.push(
            BackUp {
                path: by.into(),
                aside: product.layout.backup_of(by),
                keep: true,
            },
            format!("it overrules {}", unit.spec.name),
        );
    }
    let all = || state.units.iter().chain(&state.retired.units);
    let endangered: Vec<&UnitState> = all().filter(|unit| in_danger(unit)).collect();
    // a drop-in has no effect on a unit without a file: that one is helped by writing the file
    let loaded: Vec<&UnitState> = endangered
        .iter()
        .copied()
        .filter(|unit| unit.facts.fragment.is_some())
        .collect();
    for unit in &loaded {
        plan.push(
            KeepGuests {
                unit: unit.spec.name.clone(),
                path: product.layout.keep_guests_drop_in(&unit.spec.name),
            },
            "a stop would have killed its guests",
        );
    }
    if any_moved || !loaded.is_empty() {
        plan.push(ReloadSystemd {}, "only then it is in force");
    }
    let to_move = to_move(state, texts);
    let why = if endangered.is_empty() {
        "their unit bounds what is in its control group"
    } else {
        "their unit was stale"
    };
    let moves: Vec<Move> = to_move
        .into_iter()
        .filter_map(|protected| {
            let name = format!("{}{}.scope", product.scope_prefix, protected.id);
            Some(Move {
                protected: protected.clone(),
                scope: name.parse().ok()?,
            })
        })
        .collect();
    let units: Vec<UnitName> = loaded.iter().map(|unit| unit.spec.name.clone()).collect();
    if !units.is_empty() {
        plan.push(
            CheckKillMode { units, stop_guests },
            "systemd's word counts, not a file's",
        );
    }
    if !moves.is_empty() {
        plan.push(
            RescopeGuests {
                slice: product.slice.clone(),
                moves,
                stop_guests,
            },
            why,
        );
    }
}

/// The toolkit's own drop-in goes as soon as nothing makes it necessary.
pub(super) fn drop_unneeded(product: &Product, state: &HostState, goal: &Goal, plan: &mut Plan) {
    let mut units = Vec::new();
    for unit in &state.units {
        let own = product.layout.keep_guests_drop_in(&unit.spec.name);
        let there = in_danger(unit) || unit.drop_ins.iter().any(|drop_in| drop_in.path == own);
        let text = goal
            .units
            .iter()
            .find(|rendered| rendered.unit == unit.spec.name);
        let unneeded =
            text.is_some_and(|found| !needs_own_drop_in(&product.layout, unit, &found.text));
        if there && unneeded {
            plan.push(
                RemoveFile { path: own },
                "the unit itself has KillMode=process now",
            );
            units.push(unit.spec.name.clone());
        }
    }
    if !units.is_empty() {
        plan.push(ReloadSystemd {}, "only then it is gone");
        plan.push(
            CheckKillMode {
                units,
                stop_guests: goal.stop_guests,
            },
            "systemd's word counts, not a file's",
        );
    }
}

/// Those whom an operation that was told to may end, where it cannot move them.
pub(super) fn endangered(state: &HostState, texts: &[Rendered]) -> Vec<String> {
    let to_move = to_move(state, texts).into_iter();
    to_move.map(|protected| protected.id.clone()).collect()
}

/// Those who must get out of their service's control group: a stop may reach them there as the host
/// stands, or the unit that is to be loaded bounds the group, and so counts them with its daemon.
fn to_move<'a>(state: &'a HostState, texts: &[Rendered]) -> Vec<&'a ProtectedProcess> {
    let must_leave = |unit: &&UnitState| in_danger(unit) || bounds_its_group(unit, texts);
    let all = state.units.iter().chain(&state.retired.units);
    let units: Vec<&UnitName> = all.filter(must_leave).map(|unit| &unit.spec.name).collect();
    state
        .protected
        .iter()
        .filter(|protected| units.iter().any(|unit| protected.lives_in(unit)))
        .collect()
}

/// Whether a service that keeps children has a limit on its control group that they would share: by
/// the text that is to be loaded, or by a drop-in (systemd.resource-control(5)).
fn bounds_its_group(unit: &UnitState, texts: &[Rendered]) -> bool {
    let text = texts.iter().find(|text| text.unit == unit.spec.name);
    let drop_ins = unit.drop_ins.iter().filter(|drop_in| drop_in.lies);
    let texts = text
        .map(|text| text.text.as_str())
        .into_iter()
        .chain(drop_ins.filter_map(|drop_in| drop_in.text.as_deref()));
    unit.spec.stateful && texts.into_iter().any(sets_a_bound)
}

fn sets_a_bound(text: &str) -> bool {
    const BOUNDS: [&str; 5] = [
        "MemoryMax",
        "MemoryHigh",
        "MemorySwapMax",
        "TasksMax",
        "CPUQuota",
    ];
    let Ok(parsed) = unit::parse(text) else {
        return false;
    };
    let mut directives = parsed.directives().iter();
    directives.any(|one| {
        one.section == "Service"
            && BOUNDS.contains(&one.key.as_str())
            && !matches!(one.value.as_str(), "" | "infinity" | "100%")
    })
}
