//! What holds for every host and every operation, tried on hosts that chance has worked on.

use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::Index;

use super::machine::{Dies, Machine};
use super::power::{ModelDisk, SCENES, Scene, installed, whole};
use crate::effect::Files as _;
use crate::engine::RunError;
use crate::journal::Journal;
use crate::model::{FileImage, Receipt};
use crate::plan::{Plan, Purge, Step};
use crate::toolkit::{Outcome, ToolkitError};

const UNITS: [&str; 4] = [
    "toy.slice",
    "toyd.socket",
    "toy-rescue.service",
    "toyd.service",
];

const SERVICE: &str = "toyd.service";

/// Something that happens to an installed product.
#[derive(Debug, Clone)]
enum Happening {
    Updated,
    UnitGone(Index),
    UnitWith(Option<&'static str>),
    DropIn(&'static str),
    Reloaded,
    Stopped(Index),
    Disabled(Index),
    ChildInScope,
    ReceiptGone,
    CurrentGone,
    LinkGone,
    ProgramDamaged,
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Install,
    InstallAnother,
    Update,
    Rollback,
    Restart,
    Uninstall,
    Purge,
}

fn kill_mode() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["process", "mixed", "control-group", "none"])
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        Just(Happening::Updated),
        any::<Index>().prop_map(Happening::UnitGone),
        prop::option::of(kill_mode()).prop_map(Happening::UnitWith),
        kill_mode().prop_map(Happening::DropIn),
        Just(Happening::Reloaded),
        any::<Index>().prop_map(Happening::Stopped),
        any::<Index>().prop_map(Happening::Disabled),
        Just(Happening::ChildInScope),
        Just(Happening::ReceiptGone),
        Just(Happening::CurrentGone),
        Just(Happening::LinkGone),
        Just(Happening::ProgramDamaged),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    prop::sample::select(vec![
        Deed::Install,
        Deed::InstallAnother,
        Deed::Update,
        Deed::Rollback,
        Deed::Restart,
        Deed::Uninstall,
        Deed::Purge,
    ])
}

fn happen(machine: &Machine, what: &Happening) {
    let unit_file = |unit: &str| format!("etc/systemd/system/{unit}");
    match what {
        Happening::Updated => {
            let _ = machine.update("0.1.1");
        }
        Happening::UnitGone(index) => machine.remove(&unit_file(UNITS[index.index(UNITS.len())])),
        Happening::UnitWith(mode) => {
            let mode = mode.map_or(String::new(), |mode| format!("KillMode={mode}\n"));
            let text = format!("[Service]\nExecStart=/usr/local/bin/toyd\n{mode}");
            machine.write(&unit_file(SERVICE), &text);
        }
        Happening::DropIn(mode) => {
            machine.write_drop_in("admin.conf", &format!("[Service]\nKillMode={mode}\n"));
        }
        Happening::Reloaded => machine.load(),
        Happening::Stopped(index) => machine.stop_unit(UNITS[index.index(UNITS.len())]),
        Happening::Disabled(index) => machine.disable_unit(UNITS[index.index(UNITS.len())]),
        Happening::ChildInScope => machine.move_child("/toy.slice/toy-child-child.scope"),
        Happening::ReceiptGone => machine.remove("etc/toy/install.json"),
        Happening::CurrentGone => machine.remove("usr/local/lib/toy/current"),
        Happening::LinkGone => machine.remove("usr/local/bin/toyd"),
        Happening::ProgramDamaged => {
            machine.write("usr/local/lib/toy/0.1.0/bin/toyd", "toyd 0.1.0\nodd");
        }
    }
}

fn fulfil(machine: &Machine, deed: Deed) -> Result<Outcome, ToolkitError> {
    match deed {
        Deed::Install => machine.install("0.1.0"),
        Deed::InstallAnother => machine.install("0.1.2"),
        Deed::Update => machine.update("0.1.2"),
        Deed::Rollback => machine.rollback(),
        Deed::Restart => machine.restart(),
        Deed::Uninstall => machine.uninstall(Purge::Keep),
        Deed::Purge => machine.uninstall(Purge::State),
    }
}

fn at(plan: &Plan, wanted: impl Fn(&Step) -> bool) -> Option<usize> {
    plan.steps.iter().position(|planned| wanted(&planned.step))
}

fn stops(step: &Step, unit: &str) -> bool {
    let names = match step {
        Step::StopUnits(step) => &step.units,
        Step::RestartUnits(step) => &step.units,
        _ => return false,
    };
    names.iter().any(|name| name.as_str() == unit)
}

/// Nothing stops the service before systemd's own word was heard that its child is safe, and a
/// child in the group of one that kills is moved before that.
fn guards_come_first(plan: &Plan, in_danger: bool) -> Result<(), TestCaseError> {
    let Some(first_stop) = at(plan, |step| stops(step, SERVICE)) else {
        return Ok(());
    };
    let checked = at(plan, |step| {
        matches!(step, Step::CheckKillMode(step)
            if step.units.iter().any(|unit| unit.as_str() == SERVICE))
    });
    prop_assert!(
        checked.is_some_and(|checked| checked < first_stop),
        "{plan}"
    );
    if in_danger {
        let moved = at(plan, |step| matches!(step, Step::RescopeGuests(_)));
        prop_assert!(moved.is_some_and(|moved| moved < first_stop), "{plan}");
    }
    Ok(())
}

/// While a unit's file is gone systemd is not reloaded until the unit is stopped, and the receipt
/// is the last thing of all.
fn goes_in_order(plan: &Plan) -> Result<(), TestCaseError> {
    for unit in UNITS {
        let ends = format!("/{unit}");
        let removed = at(
            plan,
            |step| matches!(step, Step::RemoveFile(step) if step.path.to_string_lossy().ends_with(&ends)),
        );
        let Some(removed) = removed else { continue };
        let later = plan.steps.iter().skip(removed);
        let mut after_reload = later
            .skip_while(|planned| !matches!(planned.step, Step::ReloadSystemd(_)))
            .map(|planned| &planned.step);
        prop_assert!(!after_reload.any(|step| stops(step, unit)), "{plan}");
    }
    let whole: Vec<_> = plan
        .cleanup
        .iter()
        .filter(|one| !one.only_if_empty)
        .collect();
    let last = whole.last().map(|one| one.path.as_path());
    prop_assert_eq!(last, Some("/etc/toy/install.json".as_ref()));
    Ok(())
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn every_plan_guards_first_keeps_the_child_and_is_done_with_once(
        happenings in prop::collection::vec(happening(), 0..6),
        deed in deed(),
    ) {
        let machine = installed();
        for what in &happenings {
            happen(&machine, what);
        }
        let removes = matches!(deed, Deed::Uninstall | Deed::Purge);
        if removes {
            machine.end_child();
        }
        let lived = machine.child_lives();
        let before = whole(&machine);
        machine.load();
        let had_receipt = machine.path_exists("etc/toy/install.json");
        let in_danger = lived && machine.would_kill(SERVICE);
        match fulfil(&machine, deed) {
            Ok(Outcome::Unchanged) => {}
            Ok(Outcome::Changed(summary)) => {
                let plan = &summary.plan;
                guards_come_first(plan, in_danger)?;
                if removes {
                    goes_in_order(plan)?;
                } else if !had_receipt {
                    prop_assert!(matches!(plan.steps[0].step, Step::WriteReceipt(_)), "{plan}");
                }
            }
            Err(error) => {
                let stuck = matches!(
                    error,
                    ToolkitError::Run(RunError::RollbackFailed { .. } | RunError::CommitUnknown { .. })
                );
                prop_assert!(!stuck, "{error:?}");
                machine.load();
                // what was fetched is swept by the next run
                let counts = |line: &String| line.starts_with('/') && !line.contains("/.staging");
                let disk = |lines: Vec<String>| -> Vec<String> {
                    lines.into_iter().filter(counts).collect()
                };
                prop_assert_eq!(disk(whole(&machine)), disk(before));
            }
        }
        prop_assert_eq!(machine.child_lives(), lived);
        if let (Some(version), false) = (machine.running(), removes)
            && machine.install(&version).is_ok()
        {
            let again = machine.install(&version);
            prop_assert!(matches!(again, Ok(Outcome::Unchanged)), "{again:?}");
        }
    }

    #[test]
    fn any_part_of_a_run_is_rolled_back_whatever_was_said_to_be_done(
        scene in any::<Index>(),
        point in any::<Index>(),
        after: bool,
        flags in prop::collection::vec(any::<bool>(), 40),
    ) {
        let scenes = scenes();
        let (scene, effects) = scenes[scene.index(scenes.len())];
        let machine = (scene.start)();
        let old = whole(&machine);
        machine.die_at(point.index(effects), if after { Dies::After } else { Dies::Before });
        let _ = (scene.run)(&machine);
        machine.revive();
        let Some(text) = machine.read(JOURNAL) else {
            return Ok(());
        };
        let mut journal: serde_json::Value = serde_json::from_str(&text).expect("a journal");
        if journal["phase"] != "running" {
            return Ok(());
        }
        let entries = journal["entries"].as_array_mut().expect("entries");
        for (entry, done) in entries.iter_mut().zip(flags) {
            entry["done"] = done.into();
        }
        let journal = journal.to_string();
        // twice is once
        for _ in 0..2 {
            machine.write(JOURNAL, &journal);
            machine.recover().expect("it is rolled back");
            machine.try_again();
            let mut end = whole(&machine);
            end.retain(|line| old.contains(line) || !line.starts_with("/var/lib/toy-install "));
            prop_assert_eq!(&end, &old);
        }
    }

    #[test]
    fn an_edited_journal_or_receipt_is_refused_in_words_or_read(
        file in any::<Index>(),
        edits in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = FIXTURES[file.index(FIXTURES.len())].to_vec();
        for (place, byte) in edits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Err(error) = read_journal(&bytes) {
            prop_assert!(!error.0.is_empty() && !error.1.is_empty(), "{error:?}");
        }
        if let Err(error) = Receipt::from_json(&bytes) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

const JOURNAL: &str = "var/lib/toy-install/journal.json";

const FIXTURES: [&[u8]; 5] = [
    include_bytes!("../../../fixtures/journal-1-install.json"),
    include_bytes!("../../../fixtures/journal-1-restart.json"),
    include_bytes!("../../../fixtures/journal-1-uninstall.json"),
    include_bytes!("../../../fixtures/journal-1-update.json"),
    include_bytes!("../../../fixtures/receipt-1.json"),
];

/// The scenes that hold, and how many effects each has.
fn scenes() -> &'static [(&'static Scene, usize)] {
    static ALL: OnceLock<Vec<(&Scene, usize)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let holding = SCENES.iter().filter(|scene| scene.holds);
        holding.map(|scene| (scene, effects_of(scene))).collect()
    })
}

fn effects_of(scene: &Scene) -> usize {
    let machine = (scene.start)();
    let before = machine.effects_done();
    (scene.run)(&machine).expect("nothing died");
    machine.effects_done() - before
}

/// What is said of a journal that is refused, and what to type.
fn read_journal(bytes: &[u8]) -> Result<Option<Journal>, (String, String)> {
    let disk = ModelDisk::with_folders(&["/"]);
    let path = Path::new("/journal.json");
    let written = disk.write_whole(path, &FileImage::private(bytes));
    written.expect("written");
    Journal::load(path, &disk).map_err(|error| {
        (
            error.to_string(),
            error
                .hint()
                .map_or_else(String::new, |hint| hint.to_string()),
        )
    })
}

#[test]
fn a_journal_or_receipt_cut_anywhere_is_refused_or_means_the_same() {
    let disk = ModelDisk::with_folders(&["/"]);
    let path = Path::new("/journal.json");
    let load = |bytes: &[u8]| {
        let written = disk.write_whole(path, &FileImage::private(bytes));
        written.expect("written");
        Journal::load(path, &disk).ok()
    };
    let (last, journals) = FIXTURES.split_last().expect("a receipt");
    let receipt = Receipt::from_json(last).expect("a receipt");
    for length in 0..last.len() {
        let found = Receipt::from_json(&last[..length]);
        assert!(
            found.is_err() || found.ok() == Some(receipt.clone()),
            "at {length}"
        );
    }
    let mut cuts = last.len();
    for journal in journals {
        // without its blanks, which nothing can be cut out of
        let whole: serde_json::Value = serde_json::from_slice(journal).expect("JSON");
        let whole = whole.to_string();
        let every = whole.len().div_ceil(2000);
        for length in (0..whole.len()).step_by(every) {
            assert_eq!(load(&whole.as_bytes()[..length]), None, "at {length}");
        }
        assert!(load(whole.as_bytes()).is_some());
        cuts += whole.len() / every;
    }
    super::crash::tell!("{cuts} cuts of {} files", FIXTURES.len());
}

#[test]
fn a_journal_is_saved_as_it_was_loaded_with_what_a_later_version_added() {
    let machine = installed();
    let path = machine.path(JOURNAL);
    for bytes in &FIXTURES[..4] {
        let mut wanted: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
        wanted["later"] = serde_json::json!({"a": [1]});
        wanted["entries"][0]["later"] = "b".into();
        machine.write_bytes(JOURNAL, wanted.to_string().as_bytes());
        let journal = Journal::load(&path, machine.disk())
            .expect("read")
            .expect("there");
        journal.save(&path, machine.disk()).expect("saved");
        let text = machine.read(JOURNAL).expect("there");
        let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(found["later"], wanted["later"]);
        assert_eq!(found["entries"][0]["later"], wanted["entries"][0]["later"]);
        let again = Journal::load(&path, machine.disk())
            .expect("read")
            .expect("there");
        assert_eq!(again, journal);
    }
}
