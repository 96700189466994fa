//! Two versions that consist of other programs, units and files, in both directions.

use super::machine::Machine;
use crate::ErrorKind;
use crate::plan::{Drift, Purge};
use crate::toolkit::Rescued;

fn plain() -> Machine {
    let machine = Machine::new();
    machine.set_up_with("0.1.0", "plain");
    machine
}

/// The lines of a snapshot that tell of something.
fn about(machine: &Machine, what: &str) -> Vec<String> {
    let lines = machine.snapshot().into_iter();
    let is_kept = |line: &String| {
        ["etc/toy/install.json", "usr/local/lib/toy"]
            .iter()
            .any(|kept| line.starts_with(kept))
    };
    lines
        .filter(|line| line.contains(what) && !is_kept(line))
        .collect()
}

#[test]
fn an_update_brings_what_is_new_and_takes_away_what_is_gone() {
    let machine = plain();
    machine.update_to("0.1.1", "wide").expect("the update");
    assert!(machine.child_lives());
    let has = |what: &str| {
        assert!(!about(&machine, what).is_empty(), "no {what}");
    };
    has("usr/local/bin/toyctl -> ");
    has("usr/local/share/man/man8/toyd.8 -> ../../../lib/toy/current/share/man/man8/toyd.8");
    has("etc/systemd/system/toyd-main.socket");
    has("multi-user.target.wants/toyd-twin.service");
    let units = machine.units();
    let state = |unit: &str| {
        let prefix = format!("{unit}: ");
        units.iter().find(|line| line.starts_with(&prefix)).cloned()
    };
    for unit in ["toyd-main.socket", "toyd-twin.service", "toyd.service"] {
        let state = state(unit).expect("known");
        assert!(state.contains("active: true"), "{state}");
    }
    assert_eq!(state("toyd.socket"), None);
    assert_eq!(about(&machine, "toyd.socket"), Vec::<String>::new());
    assert_eq!(
        about(&machine, "share/doc/toy/README ->"),
        Vec::<String>::new()
    );
    // the set is what it is to be: a second look finds nothing
    let status = machine.status().expect("a status");
    let others = status.findings.iter();
    // this systemd says nothing of commands
    let others: Vec<_> = others
        .filter(|finding| !matches!(finding.what, Drift::Command { .. }))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    machine.remove("root/release");
    let again = machine.install_set("0.1.1", "wide", 1000).expect("again");
    assert_eq!(again, crate::toolkit::Outcome::Unchanged);
}

#[test]
fn a_rollback_brings_the_very_same_set_back() {
    let machine = plain();
    let before = machine.versions_and_units();
    machine.update_to("0.1.1", "wide").expect("the update");
    machine.rollback().expect("the rollback");
    assert_eq!(machine.versions_and_units(), before);
    assert!(machine.child_lives());
}

#[test]
fn a_version_with_another_set_that_fails_its_health_checks_leaves_nothing() {
    let machine = plain();
    let before = machine.snapshot();
    for behaviour in ["wide-broken", "wide-liar"] {
        let error = machine.update_to("0.1.1", behaviour).expect_err("bad");
        assert_eq!(error.kind(), ErrorKind::RolledBack, "{error}");
        assert_eq!(machine.snapshot(), before, "{behaviour}");
        assert!(machine.child_lives());
    }
}

#[test]
fn a_version_with_another_set_that_fails_on_probation_is_rolled_back() {
    let machine = plain();
    let before = machine.versions_and_units();
    machine.update_to("0.1.1", "wide").expect("the update");
    machine.mute("0.1.1");
    let rescued = machine.rescue().expect("a watch");
    assert!(matches!(rescued, Rescued::RolledBack { .. }), "{rescued:?}");
    assert_eq!(machine.versions_and_units(), before);
    assert!(machine.child_lives());
}

#[test]
fn a_service_that_goes_lets_its_children_live() {
    let machine = Machine::new();
    machine.set_up_with("0.1.0", "wide");
    machine.move_child("/system.slice/toyd-twin.service");
    machine.write(
        "etc/systemd/system/toyd-twin.service.d/admin.conf",
        "[Service]\nKillMode=control-group\n",
    );
    machine.load();
    machine.update_to("0.1.1", "plain").expect("the update");
    assert!(machine.child_lives());
    // the administrator's own file is nobody else's to remove
    let left = about(&machine, "toyd-twin");
    assert!(
        left.iter().all(|line| line.contains("admin.conf")),
        "{left:?}"
    );
}

#[test]
fn a_slice_that_goes_is_not_stopped_while_a_child_lives_in_it() {
    for (group, is_stopped) in [
        ("/toy.slice/toy-old.slice/toy-child-child.scope", false),
        ("/toy.slice/toy-child-child.scope", true),
    ] {
        let machine = Machine::new();
        machine.set_up_with("0.1.0", "sliced");
        machine.move_child(group);
        machine.start_unit("toy-old.slice");
        machine.update_to("0.1.1", "plain").expect("the update");
        assert!(machine.child_lives(), "{group}");
        let units = machine.units();
        let runs =
            |line: &&String| line.starts_with("toy-old.slice") && line.contains("active: true");
        assert_eq!(units.iter().find(runs).is_none(), is_stopped, "{units:?}");
        let left = machine.path_exists("etc/systemd/system/toy-old.slice");
        assert!(!left, "its file goes in any case");
    }
}

#[test]
fn a_link_that_somebody_put_in_the_place_of_ours_stays() {
    let machine = plain();
    machine.remove("usr/local/share/doc/toy/README");
    machine.write("usr/local/share/doc/toy/README", "an administrator's");
    machine.update_to("0.1.1", "wide").expect("the update");
    let kept = machine.read("usr/local/share/doc/toy/README");
    assert_eq!(kept.as_deref(), Some("an administrator's"));
}

#[test]
fn an_uninstall_takes_the_whole_set_away() {
    let machine = plain();
    machine.update_to("0.1.1", "wide").expect("the update");
    machine.end_child();
    machine.uninstall(Purge::State).expect("the uninstall");
    for what in [
        "toyctl",
        "toyd-twin",
        "toyd-main",
        "share/man",
        "toy-install",
    ] {
        let left = about(&machine, what);
        assert_eq!(left, Vec::<String>::new(), "{what}");
    }
}

#[test]
fn a_host_whose_version_brought_no_list_goes_to_one_that_does_and_back() {
    let machine = Machine::installed("0.1.0");
    let before = machine.versions_and_units();
    machine.update_to("0.1.1", "wide").expect("the update");
    machine.rollback().expect("the rollback");
    assert_eq!(machine.versions_and_units(), before);
    assert!(machine.child_lives());
}
