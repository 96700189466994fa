//! The machine dies at every effect of every operation, before it and after it; the next run finds
//! it wholly old or wholly new, and the child alive.

use super::machine::{Dies, Machine};
use crate::plan::Purge;
use crate::toolkit::{Outcome, ToolkitError};

/// The numbers are part of the proof: nextest shows them on request.
macro_rules! tell {
    ($($words:tt)*) => {
        let _ = std::io::Write::write_fmt(
            &mut std::io::stdout(),
            format_args!("{}\n", format_args!($($words)*)),
        );
    };
}
pub(super) use tell;

/// An operation and the machine that it starts from.
struct Case {
    name: &'static str,
    start: fn() -> Machine,
    run: fn(&Machine) -> Result<Outcome, ToolkitError>,
    /// Whether it is tried, too, with a second misfortune after the first.
    twice: bool,
}

const CASES: [Case; 9] = [
    Case {
        name: "update to a wider set",
        start: || with_set("plain"),
        run: |machine| machine.update_to("0.1.1", "wide"),
        twice: true,
    },
    Case {
        name: "rollback from a wider set",
        start: || updated("plain", "wide"),
        run: Machine::rollback,
        twice: true,
    },
    Case {
        name: "update to a narrower set",
        start: || with_set("wide"),
        run: |machine| machine.update_to("0.1.1", "plain"),
        twice: false,
    },
    Case {
        name: "rollback from a narrower set",
        start: || updated("wide", "plain"),
        run: Machine::rollback,
        twice: false,
    },
    Case {
        name: "install",
        start: Machine::new,
        run: |machine| machine.install("0.1.0"),
        twice: true,
    },
    Case {
        name: "update",
        start: || Machine::installed("0.1.0"),
        run: |machine| machine.update("0.1.1"),
        twice: true,
    },
    Case {
        name: "rollback",
        start: || {
            let machine = Machine::installed("0.1.0");
            machine.update("0.1.1").expect("the update");
            machine
        },
        run: Machine::rollback,
        twice: true,
    },
    Case {
        name: "restart",
        start: || Machine::installed("0.1.0"),
        run: Machine::restart,
        twice: true,
    },
    Case {
        name: "uninstall",
        start: || {
            let machine = Machine::installed("0.1.0");
            machine.end_child();
            machine
        },
        run: |machine| machine.uninstall(Purge::State),
        twice: true,
    },
];

/// A version that brought a list of what belongs in it, with a child.
fn with_set(set: &str) -> Machine {
    let machine = Machine::new();
    machine.set_up_with("0.1.0", set);
    machine
}

/// One with another set above it.
fn updated(from: &str, to: &str) -> Machine {
    let machine = with_set(from);
    machine.update_to("0.1.1", to).expect("the update");
    machine
}

/// How many effects the operation has when nothing dies, and the machine after it.
fn whole(case: &Case) -> (usize, Machine) {
    let machine = (case.start)();
    let before = machine.effects_done();
    (case.run)(&machine).expect("nothing died");
    (machine.effects_done() - before, machine)
}

#[test]
fn a_run_that_dies_anywhere_ends_wholly_old_or_wholly_new() {
    for case in &CASES {
        let old = (case.start)().snapshot();
        let (effects, machine) = whole(case);
        let new = machine.snapshot();
        let mut ends = [0, 0];
        for point in 0..effects {
            for dies in [Dies::Before, Dies::After] {
                let machine = (case.start)();
                let child = machine.child_lives();
                machine.die_at(point, dies);
                // an uninstall may be through but for its lock, and an update but for sweeping
                let _ = (case.run)(&machine);
                machine.revive();
                machine.recover().expect("recovery");
                let end = machine.snapshot();
                let place = format!("{} died {dies:?} effect {point}", case.name);
                assert!(end == old || end == new, "{place}: {end:#?}");
                assert_eq!(machine.child_lives(), child, "{place}: the child");
                ends[usize::from(end == new)] += 1;
            }
        }
        tell!(
            "{}: {} points of death, {} ended old, {} new",
            case.name,
            2 * effects,
            ends[0],
            ends[1]
        );
        assert!(effects > 0);
    }
}

#[test]
fn a_recovery_that_dies_is_recovered_by_the_next() {
    for case in CASES.iter().filter(|case| case.twice) {
        let old = (case.start)().snapshot();
        let (effects, machine) = whole(case);
        let new = machine.snapshot();
        let mut points = 0;
        for point in (0..effects).step_by(3) {
            for second in 0..effects {
                let machine = (case.start)();
                machine.die_at(point, Dies::After);
                let _ = (case.run)(&machine);
                machine.revive();
                machine.die_at(second, Dies::After);
                let died = machine.recover().is_err();
                machine.revive();
                machine.recover().expect("the second recovery");
                let end = machine.snapshot();
                assert!(
                    end == old || end == new,
                    "{} died after effect {point}, its recovery after {second}: {end:#?}",
                    case.name
                );
                points += 1;
                if !died {
                    break;
                }
            }
        }
        tell!("{}: {points} double deaths", case.name);
    }
}

#[test]
fn a_stale_machine_that_dies_anywhere_keeps_its_child_and_can_be_updated() {
    let stale = || {
        let machine = Machine::installed("0.1.0");
        machine.make_stale();
        machine.write_drop_in("admin.conf", "[Service]\nKillMode=mixed\n");
        machine
    };
    let machine = stale();
    let before = machine.effects_done();
    machine.update("0.1.1").expect("nothing died");
    let effects = machine.effects_done() - before;
    for point in 0..effects {
        for dies in [Dies::Before, Dies::After] {
            let machine = stale();
            machine.die_at(point, dies);
            let _ = machine.update("0.1.1");
            machine.revive();
            machine
                .update("0.1.1")
                .unwrap_or_else(|error| panic!("{dies:?} {point}: {error}"));
            assert!(machine.child_lives(), "{dies:?} {point}");
            assert_eq!(machine.running().as_deref(), Some("0.1.1"));
        }
    }
    tell!("stale update: {} points of death", 2 * effects);
}

#[test]
fn a_run_told_of_a_failure_that_was_none_and_then_dies_is_not_mixed() {
    for case in CASES.iter().filter(|case| case.twice) {
        let old = (case.start)().snapshot();
        let (effects, machine) = whole(case);
        let new = machine.snapshot();
        let mut points = 0;
        for alarm in 0..effects {
            for after in 1.. {
                let machine = (case.start)();
                machine.alarm_at(alarm);
                machine.die_at(alarm + after, Dies::Before);
                let result = (case.run)(&machine);
                let died = machine.is_dead();
                machine.revive();
                machine.recover().expect("recovery");
                let end = machine.snapshot();
                let place = format!(
                    "{}: effect {alarm} held and said that it did not, and {after} later it died",
                    case.name
                );
                assert!(end == old || end == new, "{place}: {result:?} {end:#?}");
                points += 1;
                if !died {
                    break;
                }
            }
        }
        tell!("{}: {points} deaths after a false alarm", case.name);
    }
}
