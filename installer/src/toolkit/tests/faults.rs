//! The disk is full, or read-only, from any change on, or at that one alone: what went wrong is told
//! and what to type, and the machine is as it was, or the next run with a sound disk makes it so.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::crash::tell;
use super::machine::Machine;
use super::power::{Fault, Refusal, Scene, each_scene, whole};
use crate::ErrorKind;
use crate::engine::RunError;
use crate::toolkit::ToolkitError;

/// How a disk refuses, and whether only once.
const WAYS: [(Refusal, bool); 3] = [
    (Refusal::ReadOnly, true),
    (Refusal::Full, false),
    (Refusal::ReadOnly, false),
];

/// What an install makes before all else.
const FOLDERS: [&str; 3] = [
    "/etc/toy 755 /",
    "/usr/local/lib/toy 755 /",
    "/var/lib/toy-install 755 /",
];

/// How the runs of a scene ended.
#[derive(Default)]
struct Ends {
    held: usize,
    rolled_back: usize,
    stuck: usize,
}

struct Attempt<'a> {
    scene: &'a Scene,
    old: Vec<String>,
    new: Vec<String>,
    ends: Ends,
}

impl Attempt<'_> {
    fn run(&mut self, place: &str, fault: Fault) {
        let machine = (self.scene.start)();
        let child = machine.child_lives();
        let before = machine.disk().changes();
        machine.disk().refuse(Some(Fault {
            at: before + fault.at,
            ..fault
        }));
        let result = (self.scene.run)(&machine);
        let kept = machine.child_lives();
        assert_eq!(kept, child, "{place}: the child");
        let journal = "/var/lib/toy-install/journal.json";
        let pending = machine.disk().image().lines();
        let pending = pending.iter().any(|line| line.starts_with(journal));
        match result {
            Ok(_) => self.ends.held += 1,
            Err(error) => self.told(place, &error, pending, &machine),
        }
        machine.disk().refuse(None);
        let recovered = machine.recover();
        recovered.unwrap_or_else(|error| panic!("{place}: with room again: {error:?}"));
        let end = whole(&machine);
        assert!(end == self.old || end == self.new, "{place}: {end:#?}");
        assert_eq!(machine.child_lives(), child, "{place}: the child");
    }

    /// The error says what is wrong and what to type; a run that is stuck keeps its journal, and
    /// any other has left the machine as it was.
    fn told(&mut self, place: &str, error: &ToolkitError, pending: bool, machine: &Machine) {
        let hint = error
            .hint()
            .map_or_else(String::new, |hint| hint.to_string());
        let typed = ["df -h", "mount it writable", "run the same command again"];
        assert!(
            typed.iter().any(|words| hint.contains(words)),
            "{place}: {error:?} hints {hint:?}"
        );
        if let ToolkitError::Run(RunError::RollbackFailed { .. } | RunError::CommitUnknown { .. }) =
            error
        {
            self.ends.stuck += 1;
            assert!(pending, "{place}: stuck without a journal");
            return;
        }
        assert_eq!(error.kind(), ErrorKind::HostLacks, "{place}: {error:?}");
        let end = whole(machine);
        assert!(
            pending || is_but_for_passing(&end, &self.old) || is_but_for_passing(&end, &self.new),
            "{place}: {error:?}\n{end:#?}\n{:#?}",
            self.old
        );
        self.ends.rolled_back += 1;
    }
}

/// What a disk that takes nothing does not let go of holds nothing, and goes with the next run.
fn is_but_for_passing(end: &[String], wanted: &[String]) -> bool {
    let passing = |line: &str| {
        let empty = FOLDERS.iter().any(|folder| line.starts_with(folder));
        empty || line.contains(".installer-new ") || line.contains("/.staging")
    };
    end.iter()
        .filter(|line| wanted.contains(line) || !passing(line))
        .eq(wanted)
}

fn refuse_everywhere(scene: &Scene) -> usize {
    let machine = (scene.start)();
    let old = whole(&machine);
    let before = machine.disk().changes();
    (scene.run)(&machine).expect("nothing is refused");
    let changes = machine.disk().changes() - before;
    let mut attempt = Attempt {
        scene,
        old,
        new: whole(&machine),
        ends: Ends::default(),
    };
    for at in 0..changes {
        for (refusal, once) in WAYS {
            let place = format!("{}: {refusal:?} at {at}, once: {once}", scene.name);
            attempt.run(&place, Fault { at, refusal, once });
        }
    }
    let Ends {
        held,
        rolled_back,
        stuck,
    } = attempt.ends;
    tell!(
        "{}: {changes} changes refused in 3 ways: {held} held, {rolled_back} were rolled back, \
         {stuck} by the next run",
        scene.name
    );
    changes * WAYS.len()
}

#[test]
fn a_disk_that_refuses_anything_at_any_change_dies_without_a_loss() {
    let points = AtomicUsize::new(0);
    each_scene(|_, scene| {
        if scene.refuse {
            points.fetch_add(refuse_everywhere(scene), Ordering::Relaxed);
        }
    });
    tell!("refused: {} points in all", points.into_inner());
}
