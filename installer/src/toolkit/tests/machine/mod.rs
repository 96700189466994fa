//! A machine in memory, on a disk in a temporary folder or in memory, too.

mod commands;
mod death;
mod ground;
mod manager;
mod programs;
mod sets;
mod world;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::power::ModelDisk;
use crate::effect::HostFiles;
use crate::model::{
    Delegate, End, FileImage, Found, ProcessIdentity, Product, Requirement, UnitName,
};
use commands::product;
use death::Death;
pub(super) use death::Dies;
use ground::Ground;
pub(super) use world::child_in;

/// What systemd holds of a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Unit {
    text: Option<String>,
    drop_ins: BTreeMap<PathBuf, String>,
    active: bool,
    failed: bool,
    /// Somebody stopped it.
    stopped: bool,
    /// The whole daemon that runs: what its program file held at its start.
    runs: Option<String>,
}

pub(super) struct Machine {
    /// Holds the lock, and the disk where that is no model.
    folder: tempfile::TempDir,
    disk: Option<Rc<ModelDisk>>,
    root: PathBuf,
    ground: Rc<dyn Ground>,
    product: Product,
    units: RefCell<BTreeMap<UnitName, Unit>>,
    /// The child's control group while it lives.
    child: RefCell<Option<String>>,
    /// The next look does not see the child: it starts right after.
    child_is_late: Cell<bool>,
    /// What the product says of the child's end.
    child_end: Cell<Option<End>>,
    /// The child ends at the next restart.
    ends_at_restart: Cell<bool>,
    death: Death,
    jobs: Cell<usize>,
    bare_stops: Cell<usize>,
    interrupt: AtomicBool,
    interrupt_at_restart: Cell<bool>,
    time: Cell<Duration>,
    /// Scopes are refused: nobody can be moved.
    no_scopes: Cell<bool>,
    stop_guests: Cell<bool>,
    /// The services no longer list the child.
    forgets: Cell<bool>,
    /// How often the service exited since somebody started it.
    restarts: Cell<u32>,
    /// The service exits so long after its next restart.
    dies_after: Cell<Option<Duration>>,
    dies_at: Cell<Option<Duration>>,
    pauses_left: Cell<Option<u32>>,
    /// The version that no longer answers.
    mute: RefCell<Option<String>>,
    /// Every service is on its way up, and not there yet.
    starts_slowly: Cell<bool>,
    looks: world::Looks,
    /// Whom the service runs as; root when empty.
    user: RefCell<String>,
    deed: Cell<Deed>,
    /// The services are ordered after whoever asks: a start of theirs would wait for ever.
    holds_services: Cell<bool>,
    /// The file of the program that works on the machine, where it is to be kept.
    own_program: RefCell<Option<PathBuf>>,
}

/// What is done to the service's process from the next restart on, or what it does itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Deed {
    #[default]
    Nothing,
    /// It is ended by SIGKILL again and again.
    Killed,
    /// The same, before it is ready.
    KilledAtStart,
    /// It is stopped.
    Stopped,
    /// The same, before it is ready: systemd ends and starts it anew, again and again.
    StoppedAtStart,
    /// Another listens on its socket, and says what it likes.
    Replaced,
    /// Another process answers by the right socket.
    Answered,
    /// It crashes again and again.
    Crashes,
    /// It exits before it is ready.
    ExitsAtStart,
    /// It runs and is silent.
    Silent,
}

/// The service's process.
const SERVICE: u32 = 55;

const CHILD: ProcessIdentity = ProcessIdentity {
    pid: 77,
    start_time: 4711,
};

fn name(text: &str) -> UnitName {
    text.parse().expect("a unit name")
}

/// In memory where there is such a place: a test writes and syncs some ten thousand files.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a folder")
}

impl Machine {
    pub(super) fn new() -> Self {
        let folder = folder();
        let root = folder.path().to_owned();
        Self::on(folder, root, Rc::new(HostFiles))
    }

    /// A machine that is off, with this disk in it.
    pub(super) fn with_disk(disk: &Rc<ModelDisk>) -> Self {
        let mut machine = Self::on(folder(), "/".into(), Rc::clone(disk) as Rc<dyn Ground>);
        machine.disk = Some(Rc::clone(disk));
        machine.product.layout.lock = machine.folder.path().join("lock");
        machine
    }

    fn on(folder: tempfile::TempDir, root: PathBuf, ground: Rc<dyn Ground>) -> Self {
        Self {
            product: product(&root),
            folder,
            disk: None,
            root,
            ground,
            units: RefCell::default(),
            child: RefCell::default(),
            child_is_late: Cell::new(false),
            child_end: Cell::new(None),
            ends_at_restart: Cell::new(false),
            death: Death::default(),
            jobs: Cell::new(0),
            bare_stops: Cell::new(0),
            interrupt: AtomicBool::new(false),
            interrupt_at_restart: Cell::new(false),
            time: Cell::new(Duration::ZERO),
            no_scopes: Cell::new(false),
            stop_guests: Cell::new(false),
            forgets: Cell::new(false),
            restarts: Cell::new(0),
            dies_after: Cell::new(None),
            dies_at: Cell::new(None),
            pauses_left: Cell::new(None),
            mute: RefCell::default(),
            starts_slowly: Cell::new(false),
            looks: world::Looks::default(),
            user: RefCell::default(),
            deed: Cell::default(),
            holds_services: Cell::new(false),
            own_program: RefCell::default(),
        }
    }

    /// The same machine of a product whose programs call one another: this one's file is at a path.
    pub(super) fn with_program(mut self, path: &str) -> Self {
        self.product.delegate = Some(Delegate {
            program: "toyd".into(),
            words: vec!["carry-out".into()],
        });
        *self.own_program.borrow_mut() = Some(self.path(path));
        self
    }

    /// A machine on which a version runs, with a child in the service's control group.
    pub(super) fn installed(version: &str) -> Self {
        let machine = Self::new();
        machine.set_up(version);
        machine
    }

    /// Installs a version, whose daemon starts a child and keeps something.
    pub(super) fn set_up(&self, version: &str) {
        self.set_up_with(version, "");
    }

    /// The same for a release that behaves, or consists of other things, in this way.
    pub(super) fn set_up_with(&self, version: &str, behaviour: &str) {
        let installed = self.install_set(version, behaviour, 1000);
        installed.expect("the install");
        *self.child.borrow_mut() = Some("/system.slice/toyd.service".into());
        self.write("var/lib/toy/state", "kept");
    }

    /// Whoever works on the machine writes a file.
    pub(super) fn write(&self, path: &str, text: &str) {
        let image = FileImage::public(text);
        self.ground
            .write_whole(&self.path(path), &image)
            .expect("written");
    }

    pub(super) fn write_bytes(&self, path: &str, bytes: &[u8]) {
        let image = FileImage::public(bytes);
        let written = self.ground.write_whole(&self.path(path), &image);
        written.expect("written");
    }

    /// Whoever works on the machine removes something.
    pub(super) fn remove(&self, path: &str) {
        self.ground.remove(&self.path(path)).expect("removed");
    }

    pub(super) fn read(&self, path: &str) -> Option<String> {
        self.ground.text(&self.path(path))
    }

    pub(super) fn path_exists(&self, path: &str) -> bool {
        self.ground
            .look(&self.path(path))
            .is_ok_and(|found| found != Found::Missing)
    }

    /// The disk of a machine that was made with one.
    pub(super) fn disk(&self) -> &ModelDisk {
        self.disk.as_ref().expect("a model")
    }

    pub(super) fn lacking(mut self, path: &str) -> Self {
        self.product.required.push(Requirement {
            path: path.into(),
            what: "KVM".into(),
            hint: "modprobe kvm".into(),
        });
        self
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(super) fn drop_in(&self, file: &str) -> PathBuf {
        self.path("etc/systemd/system/toyd.service.d").join(file)
    }

    pub(super) fn own_drop_in(&self) -> PathBuf {
        self.drop_in("zzz-toy-keep-guests.conf")
    }

    pub(super) fn write_drop_in(&self, file: &str, text: &str) {
        self.write(&format!("etc/systemd/system/toyd.service.d/{file}"), text);
    }

    /// The unit as releases before the toolkit wrote it, loaded by systemd.
    pub(super) fn make_stale(&self) {
        let path = "etc/systemd/system/toyd.service";
        let text = self.ground.text(&self.path(path)).expect("the unit");
        self.write(path, &text.replace("KillMode=process\n", ""));
        self.load();
    }

    pub(super) fn jobs(&self) -> usize {
        self.jobs.get()
    }

    pub(super) fn stops_without_a_unit(&self) -> usize {
        self.bare_stops.get()
    }

    pub(super) fn interrupt_at_next_restart(&self) {
        self.interrupt_at_restart.set(true);
    }

    pub(super) fn child_lives(&self) -> bool {
        self.child.borrow().is_some()
    }

    pub(super) fn child_group(&self) -> String {
        self.child.borrow().clone().expect("the child lives")
    }

    pub(super) fn end_child(&self) {
        *self.child.borrow_mut() = None;
    }

    /// The child ends while the service is restarted, and the product says `end` of it.
    pub(super) fn end_child_at_restart(&self, end: Option<End>) {
        self.child_end.set(end);
        self.ends_at_restart.set(true);
    }

    /// Whether a version is written down as one that failed here.
    pub(super) fn remembers_a_failure(&self) -> bool {
        let text = self.read("var/lib/toy-install/seen.json");
        text.is_some_and(|text| text.contains("\"failed\""))
    }

    /// The service runs as a user of its own.
    pub(super) fn run_as(&self, user: &str) {
        *self.user.borrow_mut() = user.into();
    }

    pub(super) fn let_service(&self, deed: Deed) {
        self.deed.set(deed);
    }

    /// The version that runs.
    pub(super) fn running(&self) -> Option<String> {
        let units = self.units.borrow();
        let program = units.get(&name("toyd.service"))?.runs.clone()?;
        program
            .lines()
            .next()?
            .strip_prefix("toyd ")
            .map(str::to_owned)
    }

    /// All that counts of the disk and of systemd's memory.
    pub(super) fn snapshot(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.walk(&self.root, &mut found);
        let passing = ["var/lib/toy-install", "run", "root/release"];
        found.retain(|line| !passing.iter().any(|folder| line.starts_with(folder)));
        found.extend(self.units());
        found.sort();
        let root = self.root.display().to_string();
        if root == "/" {
            return found;
        }
        found.iter().map(|line| line.replace(&root, "")).collect()
    }

    /// The part of [`Self::snapshot`] that a rollback must bring back to the letter: all but the
    /// receipt, which tells of the rollback.
    pub(super) fn versions_and_units(&self) -> Vec<String> {
        let mut found = self.snapshot();
        found.retain(|line| !line.starts_with("etc/toy/install.json"));
        found
    }

    /// All that counts of the disk. What was fetched for an operation that had not begun goes with the
    /// next one.
    pub(super) fn versions_and_files(&self) -> Vec<String> {
        let mut found = self.snapshot();
        found.retain(|line| !line.contains(": Unit {") && !line.contains("/.staging/"));
        found
    }

    /// What systemd holds of its units.
    pub(super) fn units(&self) -> Vec<String> {
        let units = self.units.borrow();
        let known = units.iter().filter(|(_, state)| **state != Unit::default());
        known
            .map(|(unit, state)| format!("{unit}: {state:?}"))
            .collect()
    }

    fn walk(&self, folder: &Path, found: &mut Vec<String>) {
        for name in self.ground.list(folder).expect("a folder") {
            let path = folder.join(name);
            let shown = path.strip_prefix(&self.root).expect("beneath").display();
            match self.ground.look(&path).expect("seen") {
                Found::Folder => self.walk(&path, found),
                Found::Link(target) => found.push(format!("{shown} -> {}", target.display())),
                Found::File(image) => {
                    let text = image.contents.as_text().expect("text");
                    found.push(format!("{shown}: {text}"));
                }
                other => panic!("{shown}: {other:?}"),
            }
        }
    }

    /// The record of the version on probation.
    pub(super) fn probation(&self) -> PathBuf {
        self.product.layout.probation()
    }

    /// A signal comes after so many pauses.
    pub(super) fn interrupt_after_pauses(&self, pauses: u32) {
        self.pauses_left.set(Some(pauses));
    }

    /// No signal comes any more.
    pub(super) fn never_interrupt(&self) {
        self.pauses_left.set(None);
        self.interrupt
            .store(false, std::sync::atomic::Ordering::Relaxed);
    }

    /// The service ends, and systemd starts it anew.
    pub(super) fn let_service_die(&self) {
        self.restarts.set(1);
    }

    /// A version of the service answers nothing from here on.
    pub(super) fn mute(&self, version: &str) {
        *self.mute.borrow_mut() = Some(version.into());
    }

    /// The services take their time to start.
    pub(super) fn start_slowly(&self) {
        self.starts_slowly.set(true);
    }

    /// A file of the product's state.
    pub(super) fn record(&self) -> PathBuf {
        self.path("var/lib/toy/things/one/record.json")
    }

    /// From here on systemd refuses scopes.
    pub(super) fn refuse_scopes(&self) {
        self.no_scopes.set(true);
    }

    /// From here on every command is given `--stop-guests`.
    pub(super) fn stop_guests(&self) {
        self.stop_guests.set(true);
    }

    /// From the next restart on the service does not list the child.
    pub(super) fn forget_child(&self) {
        self.forgets.set(true);
    }

    /// The child starts right after the next look at who lives.
    pub(super) fn let_child_be_late(&self) {
        self.child_is_late.set(true);
    }
}
