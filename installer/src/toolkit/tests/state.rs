//! What a version says of the state before it is switched to.

use super::machine::Machine;
use crate::ErrorKind;
use crate::plan::{Migration, Step};
use crate::toolkit::{Outcome, Rescued, ToolkitError};

fn with_record(schema: u32) -> Machine {
    let machine = Machine::installed("0.1.0");
    write_record(&machine, schema);
    machine
}

fn write_record(machine: &Machine, schema: u32) {
    let text = format!("{{\"schema\":{schema}}}");
    machine.write("var/lib/toy/things/one/record.json", &text);
}

/// What the plan that was carried out said of migrations.
fn migrations(outcome: Outcome) -> Vec<Migration> {
    let Outcome::Changed(summary) = outcome else {
        panic!("nothing was changed");
    };
    let steps = summary.plan.steps.into_iter();
    let found = steps.filter_map(|planned| match planned.step {
        Step::CheckState(step) => Some(step.migrations),
        _ => None,
    });
    found.flatten().collect()
}

#[test]
fn an_update_shows_what_the_version_will_migrate() {
    let machine = with_record(1);
    let updated = machine.update_to("0.1.1", "migrates").expect("the update");
    let found = migrations(updated);
    let [migration] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        migration.to_string(),
        "will migrate the state of toyd from schema 1 to 2"
    );
    assert!(migration.program.ends_with("0.1.1/bin/toyd"));
    // asked when the plan is made, and again before anything points at it; as who will run it
    assert_eq!(machine.questions(), [Some((1000, 1000)); 2]);
}

#[test]
fn a_version_that_says_nothing_or_can_read_the_state_changes_no_plan() {
    let plain = with_record(1);
    let silent = migrations(plain.update("0.1.1").expect("the update"));
    assert_eq!(silent, []);
    let machine = with_record(1);
    let strict = migrations(machine.update_to("0.1.1", "strict").expect("the update"));
    assert_eq!(strict, []);
    assert_eq!(plain.effects_done(), machine.effects_done());
}

#[test]
fn a_version_that_cannot_read_the_state_is_refused_and_nothing_is_changed() {
    type Operation = fn(&Machine) -> Result<Outcome, ToolkitError>;
    let machine = with_record(2);
    let before = machine.snapshot();
    let update: Operation = |machine| machine.update_to("0.1.1", "strict");
    let install: Operation = |machine| machine.install_set("0.1.1", "strict", 1000);
    for operation in [update, install] {
        let error = operation(&machine).expect_err("it cannot read it");
        assert_eq!(
            error.to_string(),
            "0.1.1 cannot read the state of toyd.service (schema 2; it reads up to 1)"
        );
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.to_string().contains("nothing was changed"))
        );
        machine.recover().expect("nothing to recover");
        assert_eq!(machine.snapshot(), before);
    }
    assert_eq!(machine.running().as_deref(), Some("0.1.0"));
    // and it is no failure of the version: it may be taken once the state is another
    assert!(!machine.remembers_a_failure());
}

#[test]
fn an_answer_that_is_none_refuses_an_update() {
    let machine = with_record(1);
    let before = machine.snapshot();
    let error = machine
        .update_to("0.1.1", "babbles")
        .expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    machine.recover().expect("nothing to recover");
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn a_rollback_to_a_version_that_cannot_read_the_state_is_refused() {
    let machine = Machine::new();
    machine.set_up_with("0.1.0", "plain-strict");
    write_record(&machine, 1);
    machine.update("0.1.1").expect("the update");
    // the probation is over, and only then the version may migrate
    machine.rescue().expect("a watch");
    write_record(&machine, 2);
    let before = machine.snapshot();
    let error = machine.rollback().expect_err("it cannot read it");
    assert!(matches!(error, ToolkitError::State { .. }), "{error}");
    assert_eq!(machine.snapshot(), before);
    write_record(&machine, 1);
    machine.rollback().expect("it can read that");
}

#[test]
fn a_rollback_is_not_held_back_by_a_version_that_gives_no_answer() {
    let machine = Machine::new();
    machine.set_up_with("0.1.0", "plain-babbles");
    machine.update("0.1.1").expect("the update");
    machine.rescue().expect("a watch");
    machine.rollback().expect("the rollback");
}

#[test]
fn on_probation_state_of_a_later_schema_goes_back_with_the_version() {
    let machine = Machine::new();
    machine.set_up_with("0.1.0", "plain-strict");
    write_record(&machine, 1);
    machine.update("0.1.1").expect("the update");
    // against the rule, which is why it goes back
    write_record(&machine, 2);
    machine.let_service_die();
    let rescued = machine.rescue().expect("a watch");
    assert!(matches!(rescued, Rescued::RolledBack { .. }), "{rescued:?}");
    let record = machine.read("var/lib/toy/things/one/record.json");
    assert_eq!(record.as_deref(), Some("{\"schema\":1}"));
}

#[test]
fn from_before_its_first_start_a_new_version_finds_the_record_of_its_probation() {
    let machine = with_record(1);
    let updated = machine.update_to("0.1.1", "migrates").expect("the update");
    let Outcome::Changed(summary) = updated else {
        panic!("nothing was changed");
    };
    let position = |wanted: &dyn Fn(&Step) -> bool| {
        let mut steps = summary.plan.steps.iter();
        steps.position(|planned| wanted(&planned.step))
    };
    let begins = position(&|step| matches!(step, Step::BeginProbation(_)));
    let points = position(&|step| matches!(step, Step::Link(_)));
    let restarts = position(&|step| matches!(step, Step::RestartUnits(_)));
    assert!(begins.is_some() && begins < points && points < restarts);
    // and the record is there until it has stayed well
    assert!(machine.probation().exists());
    machine.rescue().expect("a watch");
    assert!(!machine.probation().exists());
}
