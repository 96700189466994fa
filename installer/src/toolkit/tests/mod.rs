//! The toolkit against a machine that exists only in memory and in a temporary folder, and that can
//! die at any effect.

mod before_services;
mod crash;
mod ends;
mod faults;
mod keeper;
mod machine;
mod owner_deeds;
mod plans;
mod power;
mod properties;
mod rescue;
mod sets;
mod state;
mod stopped_by_hand;

use machine::Machine;

use super::{Outcome, ToolkitError};
use crate::ErrorKind;
use crate::engine::RunError;
use crate::model::Hint;
use crate::plan::{Purge, Step};

#[test]
fn a_second_install_changes_nothing() {
    let machine = Machine::new();
    assert!(matches!(machine.install("0.1.0"), Ok(Outcome::Changed(_))));
    let before = machine.effects_done();
    assert!(matches!(machine.install("0.1.0"), Ok(Outcome::Unchanged)));
    // the Reload that makes systemd's word worth asking for is no change
    assert_eq!(machine.effects_done(), before + 1);
}

#[test]
fn a_look_at_the_machine_hashes_every_file_of_a_release_once() {
    let machine = Machine::installed("0.1.0");
    machine.hashed();
    machine.status().expect("a look");
    let of_the_release = machine.path("usr/local/lib/toy/0.1.0");
    let files = ["bin", "units"].map(|folder| {
        let names = std::fs::read_dir(of_the_release.join(folder));
        names.expect("a folder").count()
    });
    assert_eq!(machine.hashed(), files.iter().sum::<usize>());
}

#[test]
fn an_update_keeps_the_child_and_the_version_before() {
    let machine = Machine::installed("0.1.0");
    machine.update("0.1.1").expect("the update");
    assert_eq!(machine.running().as_deref(), Some("0.1.1"));
    assert!(machine.child_lives());
    assert!(machine.path("usr/local/lib/toy/0.1.0").exists());
    machine.update("0.1.2").expect("the next");
    assert!(!machine.path("usr/local/lib/toy/0.1.0").exists());
    assert!(machine.path("usr/local/lib/toy/0.1.1").exists());
}

#[test]
fn a_rollback_goes_back_once_and_leaves_nothing_of_what_was_left() {
    let machine = Machine::installed("0.1.0");
    let before = machine.versions_and_units();
    let error = machine.rollback().expect_err("there is nothing before");
    assert!(matches!(error, ToolkitError::NothingBefore { .. }));
    machine.update("0.1.1").expect("the update");
    machine.rollback().expect("the way back");
    assert_eq!(machine.running().as_deref(), Some("0.1.0"));
    assert!(machine.child_lives());
    assert_eq!(machine.versions_and_units(), before);
    let error = machine.rollback().expect_err("it was used up");
    assert!(matches!(error, ToolkitError::NothingBefore { .. }));
    machine.update("0.1.1").expect("the same update again");
}

#[test]
fn a_rollback_without_the_folder_of_the_version_before_is_refused() {
    let machine = Machine::installed("0.1.0");
    machine.update("0.1.1").expect("the update");
    std::fs::remove_dir_all(machine.path("usr/local/lib/toy/0.1.0")).expect("removed");
    let before = machine.snapshot();
    let error = machine.rollback().expect_err("it is gone");
    assert!(matches!(error, ToolkitError::NothingBefore { .. }));
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn a_daemon_that_does_not_come_up_is_rolled_back() {
    let machine = Machine::installed("0.1.0");
    let before = machine.snapshot();
    for behaviour in ["broken", "deaf", "liar"] {
        let error = machine
            .update_to("0.1.1", behaviour)
            .expect_err("a bad release held");
        assert_eq!(error.kind(), ErrorKind::RolledBack, "{behaviour}: {error}");
        assert_eq!(machine.snapshot(), before, "{behaviour}");
        assert!(machine.child_lives());
    }
}

#[test]
fn programs_of_another_version_are_never_pointed_at() {
    let machine = Machine::installed("0.1.0");
    let before = machine.snapshot();
    let jobs = machine.jobs();
    let error = machine
        .update_to("0.1.1", "mislabelled")
        .expect_err("a mislabelled release held");
    assert!(matches!(
        error,
        ToolkitError::Run(RunError::RolledBack { .. })
    ));
    assert_eq!(machine.snapshot(), before);
    assert_eq!(machine.jobs(), jobs, "a daemon was touched");
}

#[test]
fn an_interrupted_run_is_rolled_back() {
    let machine = Machine::installed("0.1.0");
    let before = machine.snapshot();
    machine.interrupt_at_next_restart();
    let error = machine.update("0.1.1").expect_err("it was interrupted");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn uninstall_names_who_is_in_the_way_and_leaves_nothing_when_nobody_is() {
    let machine = Machine::installed("0.1.0");
    let error = machine.uninstall(Purge::State).expect_err("a child lives");
    assert_eq!(error.kind(), ErrorKind::GuestsInTheWay);
    assert!(error.to_string().contains("child"), "{error}");
    machine.end_child();
    machine.uninstall(Purge::State).expect("nobody is there");
    assert_eq!(machine.snapshot(), Machine::new().snapshot());
    assert!(!machine.path("var/lib/toy-install").exists());
}

#[test]
fn one_who_comes_while_uninstall_is_in_progress_stops_it() {
    let machine = Machine::installed("0.1.0");
    let before = machine.snapshot();
    machine.let_child_be_late();
    let error = machine.uninstall(Purge::State).expect_err("a child came");
    assert_eq!(error.kind(), ErrorKind::GuestsInTheWay);
    assert!(machine.child_lives());
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn what_uninstall_stops_still_has_its_unit_file() {
    let machine = Machine::installed("0.1.0");
    machine.end_child();
    machine.uninstall(Purge::Keep).expect("it goes");
    assert_eq!(machine.stops_without_a_unit(), 0);
}

#[test]
fn a_stale_unit_is_mended_before_the_restart() {
    let machine = Machine::installed("0.1.0");
    machine.make_stale();
    machine.update("0.1.1").expect("the update");
    assert!(machine.child_lives());
    assert_eq!(machine.child_group(), "/toy.slice/toy-child-child.scope");
    assert!(!machine.own_drop_in().exists(), "no longer needed");
}

#[test]
fn a_stale_unit_stays_mended_when_the_update_is_rolled_back() {
    let machine = Machine::installed("0.1.0");
    machine.make_stale();
    machine
        .update_to("0.1.1", "liar")
        .expect_err("a bad release held");
    assert!(machine.child_lives());
    assert_eq!(machine.running().as_deref(), Some("0.1.0"));
    assert!(machine.own_drop_in().exists());
}

#[test]
fn one_who_cannot_be_moved_is_named_and_goes_only_when_the_user_says_so() {
    let machine = Machine::installed("0.1.0");
    machine.make_stale();
    machine.refuse_scopes();
    let error = machine.update("0.1.1").expect_err("nobody can be moved");
    assert_eq!(error.kind(), ErrorKind::GuestsInTheWay);
    let ToolkitError::Run(RunError::RolledBack { cause, .. }) = &error else {
        panic!("{error:?}");
    };
    assert!(cause.to_string().contains("child (pid 77)"), "{cause}");
    assert_eq!(error.hint(), Some(Hint::StopByHand));
    assert!(machine.child_lives());
    assert_eq!(machine.running().as_deref(), Some("0.1.0"));
    let machine = Machine::installed("0.1.0");
    machine.make_stale();
    machine.refuse_scopes();
    machine.stop_guests();
    machine.update("0.1.1").expect("the update");
    assert!(!machine.child_lives(), "it could not be kept");
    assert_eq!(machine.running().as_deref(), Some("0.1.1"));
}

#[test]
fn one_who_can_be_moved_is_kept_though_the_user_would_let_it_go() {
    let machine = Machine::installed("0.1.0");
    machine.make_stale();
    machine.stop_guests();
    machine.update("0.1.1").expect("the update");
    assert!(machine.child_lives());
}

#[test]
fn uninstall_ends_who_is_in_the_way_when_the_user_says_so() {
    let machine = Machine::installed("0.1.0");
    machine.stop_guests();
    machine.uninstall(Purge::State).expect("it goes");
    assert!(!machine.child_lives());
    assert_eq!(machine.snapshot(), Machine::new().snapshot());
}

#[test]
fn a_daemon_that_no_longer_knows_a_child_is_rolled_back() {
    let machine = Machine::installed("0.1.0");
    let before = machine.snapshot();
    machine.forget_child();
    let error = machine.update("0.1.1").expect_err("it forgot the child");
    assert_eq!(error.kind(), ErrorKind::RolledBack);
    assert_eq!(machine.snapshot(), before);
    assert!(machine.child_lives());
}

#[test]
fn an_overriding_drop_in_is_overruled_and_kept() {
    let machine = Machine::installed("0.1.0");
    machine.write_drop_in("admin.conf", "[Service]\nKillMode=control-group\n");
    machine.restart().expect("the restart");
    assert!(machine.child_lives());
    assert!(machine.own_drop_in().exists());
    assert!(machine.drop_in("admin.conf").exists());
    // as soon as the reason is gone, so is the remedy
    std::fs::remove_file(machine.drop_in("admin.conf")).expect("removed");
    machine.install("0.1.0").expect("the install");
    assert!(!machine.own_drop_in().exists());
    assert!(machine.child_lives());
}

#[test]
fn a_second_run_is_turned_away_at_once() {
    let machine = Machine::installed("0.1.0");
    let lock = crate::effect::Lock::take(&machine.path("run/toy-install.lock"));
    let error = machine.update("0.1.1").expect_err("the lock is held");
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains(&std::process::id().to_string()));
    drop(lock);
}

#[test]
fn a_journal_that_cannot_be_read_stops_the_run() {
    for text in ["{", "{\"schema\":2}", "{\"schema\":1}"] {
        let machine = Machine::installed("0.1.0");
        let before = machine.snapshot();
        let journal = machine.path("var/lib/toy-install/journal.json");
        std::fs::write(&journal, text).expect("written");
        assert!(matches!(
            machine.update("0.1.1"),
            Err(ToolkitError::Journal(_))
        ));
        assert_eq!(machine.snapshot(), before);
        assert_eq!(std::fs::read_to_string(&journal).expect("there"), text);
    }
}

#[test]
fn a_receipt_of_a_later_version_is_not_called_damaged() {
    let machine = Machine::installed("0.1.0");
    let sound = machine.read("etc/toy/install.json").expect("a receipt");
    let later = sound.replace("\"schema\": 1", "\"schema\": 99");
    for (text, is_later) in [(later.as_str(), true), (&sound[..100], false)] {
        machine.write("etc/toy/install.json", text);
        let before = machine.snapshot();
        let error = machine.restart().expect_err("it was used");
        assert_eq!(error.kind(), ErrorKind::Damaged);
        let hint = error.hint().expect("a hint").to_string();
        assert_eq!(
            hint.contains("the newer version that wrote it"),
            is_later,
            "{hint}"
        );
        assert!(hint.contains("move it away and install again"), "{hint}");
        assert_eq!(machine.snapshot(), before);
    }
}

#[test]
fn a_missing_requirement_and_a_missing_install_are_told() {
    let machine = Machine::new().lacking("/nonexistent/kvm");
    let error = machine.install("0.1.0").expect_err("no kvm");
    assert_eq!(error.kind(), ErrorKind::HostLacks);
    assert!(error.hint().is_some());
    let error = Machine::new().update("0.1.1").expect_err("not installed");
    assert_eq!(error.kind(), ErrorKind::NotInstalled);
}

#[test]
fn sockets_are_made_anew_for_another_owner_and_for_nothing_else() {
    let sockets = |outcome: Outcome| match outcome {
        Outcome::Changed(summary) => {
            let steps = summary.plan.steps.iter();
            steps
                .filter_map(|planned| match &planned.step {
                    Step::RestartUnits(step) => Some(step.sockets.len()),
                    _ => None,
                })
                .sum()
        }
        Outcome::Unchanged => 0,
    };
    let machine = Machine::installed("0.1.0");
    assert_eq!(sockets(machine.update("0.1.1").expect("the update")), 0);
    assert_eq!(sockets(machine.restart().expect("the restart")), 0);
    let changed = machine.install_for("0.1.1", 1001).expect("the install");
    // services read at their start whose they are
    let Outcome::Changed(summary) = &changed else {
        panic!("nothing was done");
    };
    let place = |wanted: fn(&Step) -> bool| {
        let mut steps = summary.plan.steps.iter();
        steps.position(|planned| wanted(&planned.step))
    };
    let receipt = place(|step| matches!(step, Step::WriteReceipt(_)));
    assert!(receipt < place(|step| matches!(step, Step::RestartUnits(_))));
    assert_eq!(sockets(changed), 1);
    assert!(machine.child_lives());
}
