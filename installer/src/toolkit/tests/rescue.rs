//! The rollback that needs nobody.

use std::io::Write as _;

use super::machine::{Dies, Machine};
use crate::toolkit::Rescued;

fn updated() -> Machine {
    let machine = Machine::installed("0.1.0");
    machine.update("0.1.1").expect("the update");
    assert!(machine.probation().exists(), "it is not on probation");
    machine
}

#[test]
fn a_version_that_stays_healthy_is_off_probation_and_stays() {
    let machine = updated();
    let passed = machine.rescue().expect("a watch");
    assert_eq!(passed, Rescued::Passed("0.1.1".parse().expect("a version")));
    assert_eq!(machine.running().as_deref(), Some("0.1.1"));
    assert!(!machine.probation().exists());
    assert_eq!(machine.rescue().expect("a watch"), Rescued::Nothing);
    machine
        .rollback()
        .expect("the version before is still there");
}

#[test]
fn a_version_that_ends_or_falls_silent_on_probation_is_left() {
    type Way = fn(&Machine);
    let ways: [(Way, &str); 2] = [
        (Machine::let_service_die, "exited"),
        (|machine| machine.mute("0.1.1"), "does not answer"),
    ];
    for (way, why) in ways {
        let machine = updated();
        way(&machine);
        let Rescued::RolledBack { from, why: told } = machine.rescue().expect("a watch") else {
            panic!("it was kept: {why}");
        };
        assert_eq!(from.to_string(), "0.1.1");
        assert!(told.contains(why), "{told}");
        assert_eq!(machine.running().as_deref(), Some("0.1.0"));
        assert!(machine.child_lives());
        assert!(!machine.probation().exists());
        let receipt = std::fs::read_to_string(machine.path("etc/toy/install.json"));
        assert!(receipt.expect("a receipt").contains(why), "nobody is told");
    }
}

#[test]
fn a_service_that_is_still_starting_after_a_boot_is_given_its_time() {
    let machine = updated();
    machine.mute("0.1.1");
    machine.start_slowly();
    // far more than the patience for one that does not answer
    machine.interrupt_after_pauses(100);
    assert_eq!(machine.rescue().expect("a watch"), Rescued::Interrupted);
    assert_eq!(machine.running().as_deref(), Some("0.1.1"));
}

#[test]
fn services_are_asked_at_the_same_time() {
    let machine = Machine::new().with_two_services();
    machine.set_up("0.1.0");
    machine.asked();
    machine.update("0.1.1").expect("the update");
    assert_eq!(machine.asked(), [2, 2], "a look before, and one after");
    machine.mute("0.1.1");
    machine.rescue().expect("a watch");
    let asked = machine.asked();
    assert!(asked.len() > 10, "it was given no patience: {asked:?}");
    assert!(asked.iter().all(|together| *together == 2), "{asked:?}");
    assert_eq!(machine.running().as_deref(), Some("0.1.0"));
}

#[test]
fn a_version_that_nobody_put_on_probation_is_left_alone() {
    let machine = Machine::installed("0.1.0");
    machine.let_service_die();
    let before = machine.snapshot();
    assert_eq!(machine.rescue().expect("a watch"), Rescued::Nothing);
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn while_an_operation_is_in_progress_nothing_is_rescued() {
    let machine = updated();
    machine.let_service_die();
    let lock = crate::effect::Lock::take(&machine.path("run/toy-install.lock"));
    machine.interrupt_after_pauses(5);
    assert_eq!(machine.rescue().expect("a watch"), Rescued::Interrupted);
    assert_eq!(machine.running().as_deref(), Some("0.1.1"));
    drop(lock);
}

#[test]
fn what_a_dead_updater_left_is_rolled_back_without_a_command() {
    let whole = Machine::installed("0.1.0");
    let old = whole.snapshot();
    let before = whole.effects_done();
    whole.update("0.1.1").expect("nothing died");
    let effects = whole.effects_done() - before;
    let new = whole.snapshot();
    let mut ends = [0, 0];
    for point in 0..effects {
        let machine = Machine::installed("0.1.0");
        machine.die_at(point, Dies::After);
        let _ = machine.update("0.1.1");
        machine.revive();
        machine.rescue().expect("a watch");
        let mut end = machine.snapshot();
        // what was fetched before the operation began is swept by the next command
        end.retain(|line| !line.contains("/.staging/"));
        assert!(end == old || end == new, "effect {point}: {end:#?}");
        assert!(machine.child_lives(), "effect {point}");
        assert!(!machine.path("var/lib/toy-install/journal.json").exists());
        ends[usize::from(end == new)] += 1;
    }
    let _ = writeln!(
        std::io::stdout(),
        "rescue: {effects} deaths, {} ended old, {} new",
        ends[0],
        ends[1]
    );
    assert!(ends[0] > 10 && ends[1] > 0, "{ends:?}");
}

#[test]
fn state_that_the_version_before_cannot_read_is_put_back() {
    let machine = Machine::installed("0.1.0");
    let record = machine.record();
    std::fs::create_dir_all(record.parent().expect("a parent")).expect("a folder");
    std::fs::write(&record, r#"{"schema":1,"name":"web"}"#).expect("a record");
    let before = machine.snapshot();
    machine
        .update_to("0.1.1", "grows")
        .expect_err("it never answers");
    assert_eq!(machine.snapshot(), before);

    // and after the commit, when the rescue unit goes back
    machine.update("0.1.2").expect("the update");
    std::fs::write(&record, r#"{"schema":2}"#).expect("a later format");
    machine.let_service_die();
    machine.rescue().expect("a watch");
    let now = std::fs::read_to_string(&record).expect("a record");
    assert_eq!(now, r#"{"schema":1,"name":"web"}"#);
}

#[test]
fn state_that_the_version_before_can_read_is_kept_as_it_is_now() {
    let machine = Machine::installed("0.1.0");
    let record = machine.record();
    std::fs::create_dir_all(record.parent().expect("a parent")).expect("a folder");
    std::fs::write(&record, r#"{"schema":1,"name":"web"}"#).expect("a record");
    machine.update("0.1.1").expect("the update");
    std::fs::write(&record, r#"{"schema":1,"name":"renamed"}"#).expect("the same format");
    machine.rollback().expect("the way back");
    let now = std::fs::read_to_string(&record).expect("a record");
    assert_eq!(now, r#"{"schema":1,"name":"renamed"}"#);
}
