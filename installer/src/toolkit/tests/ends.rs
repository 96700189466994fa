//! Protected processes that end while something else is done.

use super::machine::Machine;
use crate::ErrorKind;
use crate::model::End;
use crate::toolkit::{Outcome, ToolkitError};

type Change = fn(&Machine) -> Result<Outcome, ToolkitError>;

const CHANGES: [Change; 3] = [
    |machine| machine.update("0.1.1"),
    Machine::restart,
    |machine| machine.rollback(),
];

/// A machine on which each of the changes can be made.
fn machine() -> Machine {
    let machine = Machine::new();
    machine.install("0.1.0").expect("the install");
    machine.update("0.1.2").expect("the update");
    machine.set_up("0.1.2");
    machine
}

#[test]
fn an_end_that_is_explained_blames_nobody_and_is_reported() {
    for end in [End::Asked, End::Exited] {
        for change in CHANGES {
            let machine = machine();
            machine.end_child_at_restart(Some(end));
            let outcome = change(&machine).expect("nobody is to blame");
            let Outcome::Changed(summary) = outcome else {
                panic!("nothing was done");
            };
            let told: Vec<_> = summary
                .ended
                .iter()
                .map(|ended| (ended.protected.name.as_str(), ended.end))
                .collect();
            assert_eq!(told, [("child", end)]);
            assert!(summary.protected.is_empty());
            assert!(!machine.remembers_a_failure());
        }
    }
}

#[test]
fn an_end_that_nothing_explains_rolls_back() {
    // one that was looked into, and one of which nobody can tell
    for end in [Some(End::Unexplained), None] {
        for change in CHANGES {
            let machine = machine();
            let before = machine.running();
            machine.end_child_at_restart(end);
            let error = change(&machine).expect_err("a protected process was lost");
            assert_eq!(error.kind(), ErrorKind::RolledBack, "{error}");
            assert_eq!(machine.running(), before);
        }
    }
}

#[test]
fn a_version_under_which_a_process_was_lost_is_remembered() {
    let machine = machine();
    machine.end_child_at_restart(Some(End::Unexplained));
    machine.update("0.1.3").expect_err("it was lost");
    assert!(machine.remembers_a_failure());
}

#[test]
fn a_process_leaves_the_group_of_a_service_before_a_bound_on_it_is_loaded() {
    let machine = Machine::installed("0.1.0");
    machine.update_to("0.1.1", "bounded").expect("the update");
    assert!(machine.child_group().ends_with("toy-child-child.scope"));
    // whoever comes into the group later is moved by the next command that changes something
    machine.move_child("/system.slice/toyd.service");
    machine.restart().expect("a restart");
    assert!(machine.child_group().ends_with("toy-child-child.scope"));
}

#[test]
fn a_bound_is_not_loaded_over_a_process_that_cannot_leave() {
    let machine = Machine::installed("0.1.0");
    machine.refuse_scopes();
    let before = machine.snapshot();
    let jobs = machine.jobs();
    let error = machine
        .update_to("0.1.1", "bounded")
        .expect_err("it cannot be moved");
    assert_eq!(error.kind(), ErrorKind::GuestsInTheWay, "{error}");
    assert_eq!(machine.snapshot(), before);
    assert_eq!(machine.jobs(), jobs, "a service was touched");
    assert!(machine.child_lives());
    // the same release without a bound needs no scope
    machine.update("0.1.1").expect("the update");
}
