//! Journals that the program at hand cannot read: the one that was kept beside them recovers.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use super::crash::tell;
use super::machine::{Dies, Machine};
use crate::ErrorKind;
use crate::toolkit::{Recovered, Rescued, ToolkitError};

const JOURNAL: &str = "var/lib/toy-install/journal.json";
const KEEPER: &str = "usr/local/lib/toy/.keeper";

/// Says what it is, is let go on, notes what it was asked and whether the lock was free, and recovers:
/// here the journal is all that there is to take away.
const GOOD: &str =
    "echo '{\"handover\":1,\"product\":\"toy\",\"version\":\"0.1.1\"}' >/proc/self/fd/$answers
    read -r go </proc/self/fd/$go
    cat /proc/self/fd/$request >$root/asked
    flock --nonblock $root/run/toy-install.lock true && echo free >$root/free
    rm $root/var/lib/toy-install/journal.json";

/// A machine on which an update died in the middle, and whose journal is written by a later version.
struct Scene {
    machine: Machine,
    journal: String,
}

impl Scene {
    fn new(edit: impl Fn(&str) -> String) -> Self {
        let machine = Machine::installed("0.1.0");
        machine.die_at(9, Dies::After);
        machine.update("0.1.1").expect_err("it died");
        machine.revive();
        // only now, so that nothing is kept by itself
        let machine = machine.with_program("usr/local/lib/toy/0.1.0/bin/toyd");
        let journal = edit(&machine.read(JOURNAL).expect("a journal"));
        machine.write(JOURNAL, &journal);
        Self { machine, journal }
    }

    fn keeper(&self) -> PathBuf {
        self.machine.path(KEEPER)
    }

    /// Puts a script there, whose variables name the descriptors.
    fn keep(&self, script: &str) {
        let root = self.machine.path("");
        let text = format!(
            "#!/bin/sh\nIFS=, read -r request go answers lock <<END\n$3\nEND\nroot={}\n{script}\n",
            root.display()
        );
        std::fs::write(self.keeper(), text).expect("a program");
        self.set_mode(0o755);
    }

    fn set_mode(&self, mode: u32) {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.keeper(), mode).expect("a mode");
    }

    fn left(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.machine.path(name)).ok()
    }

    fn check_recovered(&self, before_services: bool) {
        assert!(!self.machine.path_exists(JOURNAL));
        assert!(!self.keeper().exists(), "it is kept for nothing");
        let asked = self.left("asked").expect("it was not asked");
        let expected = serde_json::json!({
            "ask": "recover", "handover": 1, "before_services": before_services,
        });
        let asked: serde_json::Value = serde_json::from_str(&asked).expect("JSON");
        assert_eq!(asked, expected);
        assert_eq!(self.left("free"), None, "the lock was free");
    }

    /// It is refused: nothing is changed, and the error says what to type.
    fn check_refused(
        &self,
        what: &str,
        why: &str,
        recover: impl Fn(&Machine) -> Result<(), ToolkitError>,
    ) {
        let before = self.machine.snapshot();
        let error = recover(&self.machine).expect_err(what);
        let mut told = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            told.push_str(": ");
            told.push_str(&cause.to_string());
            source = cause.source();
        }
        assert!(told.contains("schema 2"), "{what}: {told}");
        assert!(told.contains(why), "{what}: {told}");
        assert_eq!(error.kind(), ErrorKind::Damaged, "{what}");
        assert!(error.hint().is_some(), "{what}: no hint");
        assert_eq!(self.machine.snapshot(), before, "{what}");
        assert_eq!(self.machine.read(JOURNAL).as_ref(), Some(&self.journal));
    }
}

fn of_later_schema(journal: &str) -> String {
    let later = journal.replacen("\"schema\": 1", "\"schema\": 2", 1);
    assert_ne!(later, journal);
    later
}

/// A step of another version is read as any other; what reverts it is not.
fn with_unknown_step(journal: &str, undo: &str) -> String {
    let mut value: serde_json::Value = serde_json::from_str(journal).expect("JSON");
    let entries = value["entries"].as_array_mut().expect("entries");
    entries.push(serde_json::json!({
        "step": { "step": "paint-wall", "colour": "white" },
        "undo": serde_json::from_str::<serde_json::Value>(undo).expect("JSON"),
        "done": true,
    }));
    serde_json::to_string_pretty(&value).expect("JSON")
}

#[test]
fn a_journal_of_a_later_schema_is_recovered_by_the_program_that_was_kept() {
    let scene = Scene::new(of_later_schema);
    scene.keep(GOOD);
    scene.machine.recover().expect("recovered");
    scene.check_recovered(false);
}

#[test]
fn the_rescue_has_the_kept_program_recover() {
    let scene = Scene::new(of_later_schema);
    scene.keep(GOOD);
    assert_eq!(scene.machine.rescue().expect("a watch"), Rescued::Nothing);
    scene.check_recovered(false);
}

#[test]
fn a_boot_has_the_kept_program_recover_before_any_service_starts() {
    let scene = Scene::new(of_later_schema);
    scene.keep(GOOD);
    scene.machine.power_on_before_services();
    let done = scene.machine.recover_before_services().expect("recovered");
    assert_eq!(done, Recovered::ByKeptProgram);
    scene.check_recovered(true);
    assert_eq!(scene.machine.running(), None);
}

#[test]
fn at_a_boot_with_services_running_an_unreadable_journal_is_left_to_the_watch() {
    let scene = Scene::new(of_later_schema);
    scene.keep(GOOD);
    let done = scene.machine.recover_before_services().expect("left");
    assert_eq!(done, Recovered::Left);
    assert_eq!(scene.machine.read(JOURNAL).as_ref(), Some(&scene.journal));
}

#[test]
fn a_step_that_this_version_cannot_revert_is_for_the_kept_program() {
    let scene = Scene::new(|journal| {
        with_unknown_step(journal, r#"{"undo":"strip-wall","colour":"grey"}"#)
    });
    scene.keep(GOOD);
    scene.machine.recover().expect("recovered");
    scene.check_recovered(false);
}

#[test]
fn a_step_of_another_version_that_this_one_can_revert_needs_nobody_else() {
    let scene = Scene::new(|journal| with_unknown_step(journal, r#"{"undo":"nothing"}"#));
    scene.keep(GOOD);
    scene.machine.recover().expect("recovered");
    assert_eq!(scene.left("asked"), None, "the kept program was called");
    assert!(!scene.machine.path_exists(JOURNAL));
    assert_eq!(scene.machine.running().as_deref(), Some("0.1.0"));
}

#[test]
fn without_a_program_that_can_read_the_journal_nothing_is_changed() {
    let scene = Scene::new(of_later_schema);
    scene.check_refused("missing", "there is no ", Machine::recover);

    scene.keep(GOOD);
    scene.set_mode(0o775);
    scene.check_refused("writable", "can be written by others", Machine::recover);
    scene.set_mode(0o644);
    scene.check_refused("no program", "cannot be called", Machine::recover);

    let elsewhere = scene.machine.path("root/program");
    scene.set_mode(0o755);
    std::fs::rename(scene.keeper(), &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, scene.keeper()).expect("a link");
    scene.check_refused("a link", "is not a file", Machine::recover);
    std::fs::remove_file(scene.keeper()).expect("removed");
    std::fs::create_dir(scene.keeper()).expect("a folder");
    scene.check_refused("a folder", "is not a file", Machine::recover);
}

#[test]
fn a_kept_program_that_crashes_hangs_babbles_or_is_another_ones_changes_nothing() {
    let scene = Scene::new(of_later_schema);
    let say = |line: &str| format!("echo '{line}' >/proc/self/fd/$answers; exec sleep 1000");
    for (what, script, why) in [
        ("crashes", "kill -SEGV $$".to_owned(), "SIGSEGV"),
        ("ends", "exit 0".to_owned(), "made no plan"),
        ("refuses", "exit 9".to_owned(), "exit status: 9"),
        ("babbles", say("here I am"), "cannot be followed"),
        (
            "another product's",
            say(r#"{"handover":1,"product":"boy","version":"0.1.1"}"#),
            "it says that it is boy",
        ),
        (
            "another handover",
            say(r#"{"handover":2,"product":"toy","version":"0.1.1"}"#),
            "handover 2",
        ),
    ] {
        scene.keep(&script);
        scene.check_refused(what, why, Machine::recover);
    }
    scene.keep("exec sleep 1000");
    scene.check_refused("hangs", "said nothing", |machine| {
        machine.recover_by_kept_program(Duration::from_millis(300))
    });
    // one that is let go on, and then does not do it
    let begun = GOOD.lines().take(2).collect::<Vec<_>>().join("\n");
    scene.keep(&begun);
    scene.check_refused("does nothing", "recovered nothing", Machine::recover);
    scene.keep(&format!("{begun}\nkill -KILL $$"));
    scene.check_refused("is killed", "SIGKILL", Machine::recover);
    // and after all of that a sound one still can
    scene.keep(GOOD);
    scene.machine.recover().expect("recovered");
}

#[test]
fn wherever_an_operation_dies_that_changes_the_version_its_program_is_kept() {
    type Case = (&'static str, fn() -> Machine, fn(&Machine));
    let operations: [Case; 3] = [
        (
            "update",
            || Machine::installed("0.1.0").with_program(STAGED),
            |machine| drop(machine.update("0.1.1")),
        ),
        (
            "rollback",
            || {
                let machine = Machine::installed("0.1.0");
                machine.update("0.1.1").expect("the update");
                machine.with_program(PUBLISHED)
            },
            |machine| drop(machine.rollback()),
        ),
        (
            "install",
            || Machine::installed("0.1.0").with_program(UNPACKED),
            |machine| drop(machine.install("0.1.1")),
        ),
    ];
    for (name, start, run) in operations {
        let machine = start();
        let before = machine.effects_done();
        run(&machine);
        let effects = machine.effects_done() - before;
        assert!(!machine.path_exists(KEEPER), "{name}: kept for nothing");
        let mut journals = 0;
        for point in 0..effects {
            for dies in [Dies::Before, Dies::After] {
                let machine = start();
                machine.die_at(point, dies);
                run(&machine);
                machine.revive();
                if machine.path_exists(JOURNAL) {
                    journals += 1;
                    let kept = machine.read(KEEPER);
                    let kept = kept.unwrap_or_else(|| panic!("{name} {dies:?} {point}: not kept"));
                    assert_eq!(kept.lines().next(), Some("toyd 0.1.1"), "{name}");
                }
                machine.recover().expect("recovery");
                assert!(!machine.path_exists(KEEPER), "{name} {point}: left over");
            }
        }
        tell!("{name}: {effects} effects, {journals} journals with their program beside them");
        assert!(journals > effects, "{name}");
    }
}

const STAGED: &str = "usr/local/lib/toy/.staging/fetched/bin/toyd";
const PUBLISHED: &str = "usr/local/lib/toy/0.1.1/bin/toyd";
const UNPACKED: &str = "root/release/bin/toyd";

#[test]
fn a_restart_by_the_installed_program_keeps_nothing() {
    let machine = Machine::installed("0.1.0").with_program("usr/local/lib/toy/0.1.0/bin/toyd");
    let before = machine.effects_done();
    machine.restart().expect("restarted");
    let with = machine.effects_done() - before;
    let plain = Machine::installed("0.1.0");
    let before = plain.effects_done();
    plain.restart().expect("restarted");
    assert_eq!(with, plain.effects_done() - before);
}
