//! From any state to a version that runs: install, update and restart are one road.

use std::path::PathBuf;

use super::goal::owner_changes;
use super::links::{program_link, shared_link};
use super::{
    BeginProbation, CheckKillMode, CheckPrograms, CheckState, Cleanup, DisableUnits, EnableUnits,
    Goal, Link, Operation, Plan, ReloadSystemd, RemoveFile, Rendered, RestoreState, StageRelease,
    StartRescue, StopUnits, WriteReceipt, WriteSet, WriteUnit, mend, retire, running,
};
use crate::model::{Found, PROBATION_SCHEMA, Probation, Product, Receipt, UnitName, Version};
use crate::observe::{HostState, UnitState};

/// The plan that leads there.
pub fn converge(product: &Product, state: &HostState, goal: &Goal) -> Plan {
    let mut plan = Plan::new(goal.operation);
    let first = state.receipt.is_none();
    if first {
        plan.push(
            receipt(product, goal),
            "so that whatever follows can be found again",
        );
    }
    stage(product, goal, &mut plan);
    check_state(goal, &mut plan);
    mend::mend(product, state, &goal.units, goal.stop_guests, &mut plan);
    let written = write_units(product, state, goal, &mut plan);
    watch(product, state, goal, &mut plan);
    flip(product, state, goal, &mut plan);
    retire::stop(state, goal, &mut plan);
    if owner_changes(state, goal) {
        plan.push(
            receipt(product, goal),
            "services read at their start whose they are",
        );
    }
    running::run(product, state, goal, &written, &mut plan);
    // not before they were started: a boot in between would start what nobody rolls back
    enable(state, goal, &mut plan);
    no_more_by_itself(state, goal, &mut plan);
    retire::remove(product, state, &mut plan);
    mend::drop_unneeded(product, state, goal, &mut plan);
    let is_written = first || owner_changes(state, goal);
    if !is_written && state.receipt.as_ref() != Some(&goal.receipt) {
        plan.push(receipt(product, goal), "what is installed has changed");
    }
    if !plan.is_empty() || state.set.as_ref() != Some(&goal.set(product)) {
        write_set(product, state, goal, &mut plan);
    }
    if !plan.is_empty() {
        prune(product, state, goal, &mut plan);
    }
    plan
}

fn receipt(product: &Product, goal: &Goal) -> WriteReceipt {
    WriteReceipt {
        path: product.layout.receipt(),
        receipt: Box::new(goal.receipt.clone()),
    }
}

fn stage(product: &Product, goal: &Goal, plan: &mut Plan) {
    let Some(release) = &goal.stage else { return };
    let layout = &product.layout;
    let folder = layout.version(&goal.version);
    let beside = |what: &str| layout.staging().join(format!("{}.{what}", goal.version));
    plan.push(
        StageRelease {
            from: release.from.clone(),
            copy_by: (!release.may_move).then(|| beside("new")),
            to: folder.clone(),
            aside: release.replaces.then(|| beside("replaced")),
        },
        if release.replaces {
            "what lies there is not this release"
        } else {
            "it is not there yet"
        },
    );
    plan.push(
        CheckPrograms {
            folder: folder.join("bin"),
            programs: product
                .programs
                .iter()
                .map(|program| program.name.clone())
                .collect(),
            version: goal.version.clone(),
        },
        "before anything points at them",
    );
}

fn check_state(goal: &Goal, plan: &mut Plan) {
    if goal.migrations.is_empty() {
        return;
    }
    let migrations = goal.migrations.iter().cloned();
    plan.push(
        CheckState {
            version: goal.version.clone(),
            migrations: migrations.collect(),
        },
        "once it has stayed well on probation",
    );
}

fn write_units(
    product: &Product,
    state: &HostState,
    goal: &Goal,
    plan: &mut Plan,
) -> Vec<UnitName> {
    let mut written = Vec::new();
    for Rendered { unit, text } in &goal.units {
        let found = state.units.iter().find(|found| found.spec.name == *unit);
        let why = match found.map(|found| &found.file) {
            Some(Found::File(image))
                if image.contents.as_bytes() == text.as_bytes()
                    && (image.mode, image.uid, image.gid) == (0o644, 0, 0) =>
            {
                continue;
            }
            None | Some(Found::Missing) => "it is not there yet",
            Some(_) => "it is not as this version has it",
        };
        plan.push(
            WriteUnit {
                unit: unit.clone(),
                path: product.layout.unit(unit),
                text: text.clone(),
            },
            why,
        );
        written.push(unit.clone());
    }
    if !written.is_empty() {
        plan.push(ReloadSystemd {}, "only then they are in force");
        plan.push(
            CheckKillMode {
                units: product.stateful_services().cloned().collect(),
                stop_guests: goal.stop_guests,
            },
            "systemd's word counts, not a file's",
        );
    }
    written
}

/// A change of version is watched, and a version that nobody has seen well yet is on probation.
fn watch(product: &Product, state: &HostState, goal: &Goal, plan: &mut Plan) {
    let Some(receipt) = state
        .receipt
        .as_ref()
        .filter(|receipt| receipt.version != goal.version)
    else {
        return;
    };
    if let Some(unit) = &product.rescue {
        let unit = unit.clone();
        plan.push(
            StartRescue { unit },
            "it rolls the operation back if this program dies",
        );
    }
    let path = product.layout.probation();
    if goal.operation != Operation::Rollback {
        let probation = Box::new(Probation {
            schema: PROBATION_SCHEMA,
            version: goal.version.clone(),
            previous: receipt.version.clone(),
            since: goal.now,
            state: state.state_files.clone(),
            unknown: serde_json::Map::new(),
        });
        plan.push(
            BeginProbation { path, probation },
            "nobody has seen it well on this host",
        );
        return;
    }
    if let Some(probation) = state
        .probation
        .as_ref()
        .filter(|probation| probation.version == receipt.version)
    {
        let files = probation.state.clone();
        if !files.is_empty() {
            plan.push(
                RestoreState { files },
                "the version before must be able to read it",
            );
        }
        plan.push(RemoveFile { path }, "its probation is over");
    }
}

fn flip(product: &Product, state: &HostState, goal: &Goal, plan: &mut Plan) {
    let target = PathBuf::from(goal.version.to_string());
    if state.current.as_deref() != Some(&target) {
        plan.push(
            Link {
                link: product.layout.current(),
                target,
            },
            "old and new never mix",
        );
    }
    for program in &product.programs {
        let (link, target) = program_link(product, &program.name);
        let found = state.programs.get(&program.name).cloned().flatten();
        if found.as_ref() != Some(&target) {
            plan.push(Link { link, target }, "programs are called through current");
        }
    }
    for path in &product.shared {
        let (link, target) = shared_link(product, path);
        let found = state.shared.get(path).cloned().flatten();
        if found.as_ref() != Some(&target) {
            plan.push(Link { link, target }, "it is read through current");
        }
    }
}

fn write_set(product: &Product, state: &HostState, goal: &Goal, plan: &mut Plan) {
    let set = goal.set(product);
    if state.set.as_ref() != Some(&set) {
        plan.push(
            WriteSet {
                path: product.layout.set(&goal.version),
                set: Box::new(set),
            },
            "so that a rollback brings back the very same",
        );
    }
}

fn enable(state: &HostState, goal: &Goal, plan: &mut Plan) {
    let units: Vec<UnitName> = state
        .units
        .iter()
        .filter(|unit| unit.spec.is_enabled(goal.receipt.auto_update))
        // systemd enables no unit with a drop-in that it cannot read, and says `bad` of it
        .filter(|unit| !matches!(unit.facts.unit_file_state.as_str(), "enabled" | "bad"))
        .map(|unit| unit.spec.name.clone())
        .collect();
    if !units.is_empty() {
        plan.push(EnableUnits { units }, "they start at boot");
        plan.push(
            ReloadSystemd {},
            "systemd remembers whether they were enabled",
        );
    }
}

/// Whoever asked for unattended updates may think again. What an administrator enabled by hand
/// is the administrator's.
fn no_more_by_itself(state: &HostState, goal: &Goal, plan: &mut Plan) {
    let asked = |receipt: &Receipt| receipt.auto_update;
    if goal.receipt.auto_update || !state.receipt.as_ref().is_some_and(asked) {
        return;
    }
    let optional = |filter: &dyn Fn(&UnitState) -> bool| -> Vec<UnitName> {
        let units = state.units.iter().filter(|unit| unit.spec.optional);
        let units = units.filter(|unit| filter(unit));
        units.map(|unit| unit.spec.name.clone()).collect()
    };
    let units = optional(&|unit| unit.facts.is_active());
    if !units.is_empty() {
        plan.push(StopUnits { units }, "no unattended updates");
    }
    let units = optional(&|unit| unit.facts.unit_file_state == "enabled");
    if !units.is_empty() {
        plan.push(DisableUnits { units }, "no unattended updates");
        plan.push(
            ReloadSystemd {},
            "systemd remembers whether they were enabled",
        );
    }
}

/// Keeps the new version and the one before it.
fn prune(product: &Product, state: &HostState, goal: &Goal, plan: &mut Plan) {
    let kept = |version: &Version| {
        *version == goal.version || Some(version) == goal.receipt.previous.as_ref()
    };
    plan.cleanup.extend(
        state
            .versions
            .iter()
            .filter(|version| !kept(version))
            .map(|version| Cleanup::whole(product.layout.version(version))),
    );
    let sets = state.sets.iter().filter(|version| !kept(version));
    plan.cleanup
        .extend(sets.map(|version| Cleanup::whole(product.layout.set(version))));
    for path in &state.retired.shared {
        let folder = product.layout.shared(path);
        plan.cleanup.extend(
            folder
                .parent()
                .map(|folder| Cleanup::if_empty(folder.into())),
        );
    }
    for unit in &state.units {
        let own = product.layout.keep_guests_drop_in(&unit.spec.name);
        if let Some(folder) = own.parent() {
            plan.cleanup.push(Cleanup::if_empty(folder.into()));
        }
    }
}
