//! The power goes at any moment of any operation, and of a recovery; whatever the disk was left
//! with, the next run finds the machine wholly old or wholly new.

mod disk;
mod image;
mod states;

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) use disk::{Fault, ModelDisk, Refusal};
use image::Image;
use states::Random;

use super::crash::tell;
use super::machine::Machine;
use crate::plan::Purge;
use crate::toolkit::{Outcome, ToolkitError};

/// The most disks that one moment is tried with; where more are possible, chance picks.
const MOST: u64 = 40;

/// The same for an operation of many steps between two sets, which has enough moments as it is.
const FEW: u64 = 10;

/// About so many of a scene's disks lose their power once more, while they are recovered.
const TWICE: usize = 48;

/// What chance starts from.
const SEED: u64 = 0x5eed_0bad_cafe_f00d;

const FOLDERS: [&str; 6] = [
    "/etc/systemd/system",
    "/root",
    "/run",
    "/usr/local/bin",
    "/usr/local/lib",
    "/var/lib",
];

/// An operation, and the disk that it starts from.
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) start: fn() -> Machine,
    pub(super) run: fn(&Machine) -> Result<Outcome, ToolkitError>,
    /// Whether it holds when nothing goes wrong.
    pub(super) holds: bool,
    /// Whether it is run on disks that refuse.
    pub(super) refuse: bool,
    /// The most disks that one moment is tried with.
    most: u64,
}

fn empty() -> Machine {
    Machine::with_disk(&Rc::new(ModelDisk::with_folders(&FOLDERS)))
}

pub(super) fn installed() -> Machine {
    let machine = empty();
    machine.set_up("0.1.0");
    machine
}

/// A version that brought a list of what belongs in it.
fn with_set(set: &str) -> Machine {
    let machine = empty();
    machine.set_up_with("0.1.0", set);
    machine
}

/// One with another set above it.
fn updated(from: &str, to: &str) -> Machine {
    let machine = with_set(from);
    machine.update_to("0.1.1", to).expect("the update");
    machine
}

pub(super) static SCENES: [Scene; 14] = [
    Scene {
        name: "update to a wider set",
        start: || with_set("plain"),
        run: |machine| machine.update_to("0.1.1", "wide"),
        holds: true,
        refuse: true,
        most: FEW,
    },
    Scene {
        name: "rollback from a wider set",
        start: || updated("plain", "wide"),
        run: Machine::rollback,
        holds: true,
        refuse: false,
        most: FEW,
    },
    Scene {
        name: "update to a narrower set",
        start: || with_set("wide"),
        run: |machine| machine.update_to("0.1.1", "plain"),
        holds: true,
        refuse: false,
        most: FEW,
    },
    Scene {
        name: "rollback from a narrower set",
        start: || updated("wide", "plain"),
        run: Machine::rollback,
        holds: true,
        refuse: false,
        most: FEW,
    },
    Scene {
        name: "install",
        start: empty,
        run: |machine| machine.install("0.1.0"),
        holds: true,
        refuse: true,
        most: MOST,
    },
    Scene {
        name: "install over a damaged one",
        start: || {
            let machine = installed();
            machine.write(
                "usr/local/lib/toy/0.1.0/bin/toyd",
                "toyd 0.1.0\nsomething else",
            );
            machine.write("usr/local/lib/toy/0.1.0/lib/more", "of it");
            machine.write(
                "etc/systemd/system/toyd.service",
                "[Service]\nExecStart=/x\n",
            );
            machine.power_on();
            machine
        },
        run: |machine| machine.install("0.1.0"),
        holds: true,
        refuse: false,
        most: MOST,
    },
    Scene {
        name: "update",
        start: installed,
        run: |machine| machine.update("0.1.1"),
        holds: true,
        refuse: true,
        most: MOST,
    },
    Scene {
        name: "update that prunes",
        start: || {
            let machine = installed();
            machine.update("0.1.1").expect("the first");
            machine
        },
        run: |machine| machine.update("0.1.2"),
        holds: true,
        refuse: false,
        most: MOST,
    },
    Scene {
        name: "update of a stale machine",
        start: || {
            let machine = installed();
            machine.make_stale();
            machine.write_drop_in("admin.conf", "[Service]\nKillMode=mixed\n");
            machine.load();
            machine
        },
        run: |machine| machine.update("0.1.1"),
        holds: true,
        refuse: true,
        most: MOST,
    },
    Scene {
        name: "update that fails",
        start: installed,
        run: |machine| machine.update_to("0.1.1", "liar"),
        holds: false,
        refuse: false,
        most: MOST,
    },
    Scene {
        name: "rollback",
        start: || {
            let machine = installed();
            machine.update("0.1.1").expect("the update");
            machine
        },
        run: Machine::rollback,
        holds: true,
        refuse: true,
        most: MOST,
    },
    Scene {
        name: "restart",
        start: installed,
        run: Machine::restart,
        holds: true,
        refuse: true,
        most: MOST,
    },
    Scene {
        name: "uninstall",
        start: || {
            let machine = installed();
            machine.update("0.1.1").expect("another version");
            machine.end_child();
            machine
        },
        run: |machine| machine.uninstall(Purge::Keep),
        holds: true,
        refuse: false,
        most: MOST,
    },
    Scene {
        name: "uninstall --purge",
        start: || {
            let machine = installed();
            machine.end_child();
            for file in ["a", "b/c", "b/d"] {
                machine.write(&format!("var/lib/toy/{file}"), "kept");
            }
            machine
        },
        run: |machine| machine.uninstall(Purge::State),
        holds: true,
        refuse: true,
        most: MOST,
    },
];

/// A machine that was switched on with this disk in it.
fn booted(image: Image) -> Machine {
    let machine = Machine::with_disk(&Rc::new(ModelDisk::holding(image)));
    machine.power_on();
    machine
}

/// Everything that can be told of a machine: the whole disk, and what runs. Only the drop-in that
/// keeps guests is left out: it stays where a run that wrote it is rolled back, and does no harm.
pub(super) fn whole(machine: &Machine) -> Vec<String> {
    let mut lines = machine.disk().image().lines();
    lines.retain(|line| {
        let rest = in_drop_ins(line).unwrap_or(line);
        let own = rest.starts_with("/zzz-") && rest.ends_with("KillMode=process\n");
        rest != " 755 /" && !own && !rest.starts_with("/.zzz-")
    });
    lines.extend(machine.units().iter().map(|line| {
        let (head, rest) = line.split_once("drop_ins: {").unwrap_or((line, ""));
        let (_, tail) = rest.split_once("}, active").unwrap_or(("", rest));
        format!("{head}{tail}")
    }));
    lines
}

/// What a line says of the drop-ins of a service, beneath their folder.
fn in_drop_ins(line: &str) -> Option<&str> {
    let beneath = line.strip_prefix("/etc/systemd/system/toyd")?;
    let (unit, rest) = beneath.split_once(".service.d")?;
    ["", "-twin"].contains(&unit).then_some(rest)
}

/// What the machine is after a boot and a run that changes nothing.
fn settled(image: Image) -> Vec<String> {
    let machine = booted(image);
    machine.recover().expect("nothing to recover");
    whole(&machine)
}

/// A scene's two ends, and what was counted on the way.
struct Attempt<'a> {
    scene: &'a Scene,
    old: Vec<String>,
    new: Vec<String>,
    moments: usize,
    states: HashSet<u64>,
    ends: [usize; 2],
    again: usize,
}

impl<'a> Attempt<'a> {
    /// Every disk that a loss of power during the scene can leave is recovered; for some the power
    /// goes once more while they are.
    fn of(scene: &'a Scene, random: &mut Random) -> Self {
        let machine = (scene.start)();
        let old = settled(machine.disk().image());
        machine.disk().remember();
        assert_eq!((scene.run)(&machine).is_ok(), scene.holds);
        let mut attempt = Self {
            scene,
            old,
            new: settled(machine.disk().image()),
            moments: 0,
            states: HashSet::new(),
            ends: [0; 2],
            again: 0,
        };
        let mut once = attempt.lose_power(machine.disk(), random);
        let every = once.len().div_ceil(TWICE);
        once.retain(|image| image.digest() % every as u64 == 0);
        for image in once {
            let machine = booted(image);
            machine.disk().remember();
            machine.recover().expect("it was recovered before");
            attempt.lose_power(machine.disk(), random);
        }
        attempt
    }

    /// Recovers every disk that can be left of what this one was through, and gives those that had
    /// not been seen.
    fn lose_power(&mut self, disk: &ModelDisk, random: &mut Random) -> Vec<Image> {
        let history = disk.history();
        self.moments += history.len();
        let mut fresh = Vec::new();
        for (moment, power) in history.iter().enumerate() {
            for image in power.disks(self.scene.most, random) {
                if self.states.insert(image.digest()) {
                    self.recover(&image, moment);
                    fresh.push(image);
                }
            }
        }
        fresh
    }

    fn recover(&mut self, image: &Image, moment: usize) {
        let place = format!("{}: the power went at moment {moment}", self.scene.name);
        let left = || image.lines().join("\n");
        let machine = booted(image.clone());
        let recovered = machine.recover();
        recovered.unwrap_or_else(|error| panic!("{place}: {error:?} from\n{}", left()));
        machine.try_again();
        let end = whole(&machine);
        let is_new = end == self.new;
        assert!(
            is_new || end == self.old,
            "{place}\n-- left:\n{}\n-- ended:\n{}\n-- neither old:\n{}\n-- nor new:\n{}",
            left(),
            end.join("\n"),
            self.old.join("\n"),
            self.new.join("\n"),
        );
        self.ends[usize::from(is_new)] += 1;
        if !is_new && self.scene.holds && self.states.len().is_multiple_of(16) {
            let run = (self.scene.run)(&machine);
            run.unwrap_or_else(|error| panic!("{place}: again: {error:?}"));
            assert_eq!(settled(machine.disk().image()), self.new, "{place}: again");
            self.again += 1;
        }
    }
}

/// Works on every scene, two at a time: there are more scenes than anyone likes to wait for.
pub(super) fn each_scene(work: impl Fn(usize, &Scene) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(scene) = SCENES.get(index) else {
                        return;
                    };
                    work(index, scene);
                }
            });
        }
    });
}

#[test]
fn a_machine_that_loses_its_power_anywhere_is_wholly_old_or_wholly_new() {
    let all = AtomicUsize::new(0);
    each_scene(|index, scene| {
        let mut random = Random(SEED + index as u64);
        let attempt = Attempt::of(scene, &mut random);
        all.fetch_add(attempt.states.len(), Ordering::Relaxed);
        tell!(
            "{}: {} moments, {} different disks, {} ended old, {} new; {} ran again",
            scene.name,
            attempt.moments,
            attempt.states.len(),
            attempt.ends[0],
            attempt.ends[1],
            attempt.again
        );
    });
    let all = all.into_inner();
    tell!("lost power: {all} different disks in all, seed {SEED:#x}");
    assert!(all >= 10_000, "only {all}");
}
