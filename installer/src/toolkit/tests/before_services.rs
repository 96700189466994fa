//! Recovery at a boot, before the services start.

use std::io::Write as _;

use super::machine::{Dies, Machine};
use crate::journal::{Operation, Phase};
use crate::toolkit::Recovered;

/// An update that dies after so many of its effects, and then the power.
fn interrupted(effect: usize) -> Machine {
    let machine = Machine::installed("0.1.0");
    machine.die_at(effect, Dies::After);
    let _ = machine.update("0.1.1");
    machine.revive();
    machine
}

#[test]
fn an_interrupted_update_is_whole_before_any_service_starts() {
    let whole = Machine::installed("0.1.0");
    let old = whole.versions_and_files();
    let before = whole.effects_done();
    whole.update("0.1.1").expect("nothing died");
    let effects = whole.effects_done() - before;
    let new = whole.versions_and_files();
    let (mut ends, mut phases) = ([0, 0], [0, 0]);
    for point in 0..effects {
        let machine = interrupted(point);
        machine.power_on_before_services();
        let done = machine.recover_before_services();
        match done.unwrap_or_else(|error| panic!("effect {point}: {error}: {error:?}")) {
            Recovered::Nothing => {}
            Recovered::Done(Operation::Update, Phase::Running) => phases[0] += 1,
            Recovered::Done(Operation::Update, Phase::Committed) => phases[1] += 1,
            other => panic!("effect {point}: {other:?}"),
        }
        assert!(!machine.path_exists("var/lib/toy-install/journal.json"));
        let files = machine.versions_and_files();
        assert!(files == old || files == new, "effect {point}: {files:#?}");
        assert_eq!(machine.running(), None, "effect {point}");
        machine.let_services_start();
        let version = if files == old { "0.1.0" } else { "0.1.1" };
        assert_eq!(
            machine.running().as_deref(),
            Some(version),
            "effect {point}"
        );
        ends[usize::from(files == new)] += 1;
    }
    let _ = writeln!(
        std::io::stdout(),
        "{effects} effects: {ends:?} ended old and new; {phases:?} rolled back and finished"
    );
    assert!(ends.iter().chain(&phases).all(|count| *count > 0));
}

#[test]
fn while_services_run_or_an_operation_is_in_progress_the_recovery_is_left_to_the_watch() {
    let point = 20;
    let machine = interrupted(point);
    assert!(machine.path_exists("var/lib/toy-install/journal.json"));
    let before = machine.snapshot();
    let jobs = machine.jobs();
    assert_eq!(
        machine.recover_before_services().expect("left"),
        Recovered::Left
    );
    assert_eq!((machine.snapshot(), machine.jobs()), (before, jobs));

    machine.power_on_before_services();
    let lock = crate::effect::Lock::take(&machine.path("run/toy-install.lock")).expect("the lock");
    assert_eq!(
        machine.recover_before_services().expect("left"),
        Recovered::Left
    );
    drop(lock);
    let done = machine.recover_before_services().expect("recovered");
    assert_eq!(done, Recovered::Done(Operation::Update, Phase::Running));
    let again = machine.recover_before_services().expect("nothing is left");
    assert_eq!(again, Recovered::Nothing);
}
