//! A host on which somebody misbehaves, and what must not change on it.
//!
//! Beside the attacker there are a guest that ticks, bystanders with the names and under the users
//! that an attack could be mistaken for, and a folder that nobody may touch.

use std::fmt::Write as _;

use banger_tests::support::bystander::{Bystander, peak_kib};
use banger_tests::support::command::{self, Output};
use banger_tests::support::host::HostBuilder;
use banger_tests::support::stage::{Guest, OWNER, Stage};
use banger_tests::support::{Host, fake};
use serde_json::Value;

pub(crate) const HELPER: &str = "bangerd-root.service";
/// A user who has nothing to do with banger.
pub(crate) const STRANGER: &str = "mallory";
const CANARY: &str = "/srv/canary";

/// The host.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    /// A guest of the owner's that does nothing but tick.
    pub(crate) good: Guest,
    bystanders: Vec<Bystander>,
    canary: String,
}

impl Scene {
    /// With real guests.
    pub(crate) fn new() -> Self {
        Self::on(Host::new())
    }

    /// With the bench's own VMM, which does what its kernel file says.
    pub(crate) fn with_fake_vmm() -> Self {
        Self::on(Host::new().fake_vmm())
    }

    fn on(host: HostBuilder) -> Self {
        let host = host.user(OWNER).user(STRANGER).build().unwrap();
        let stage = Stage::installed_on(host, "0.1.0").unwrap();
        let make = format!(
            "mkdir -p {CANARY}/folder && echo untouched >{CANARY}/file && chmod 0600 {CANARY}/file"
        );
        stage.host.shell(&make).unwrap().ok().unwrap();
        let good = if stage.host.path("/home/alice/ticker.elf").exists() && is_real(&stage) {
            stage.run_guest("good").unwrap()
        } else {
            fake::write_kernel(&stage.host, &kernel_of("nothing"), "nothing").unwrap();
            stage.run_guest_of("good", &kernel_of("nothing")).unwrap()
        };
        let mut scene = Self {
            stage,
            good,
            bystanders: Vec::new(),
            canary: String::new(),
        };
        for user in ["root", OWNER, STRANGER] {
            for name in ["firecracker", "jailer"] {
                scene.add_bystander(user, name, &scene.good.name.clone());
            }
        }
        scene.canary = scene.canary();
        scene
    }

    pub(crate) fn host(&self) -> &Host {
        &self.stage.host
    }

    /// Starts a process of a user (a name or a number) that is called as a VM's, with a VM's id among
    /// its arguments. It must live as long as the scene.
    pub(crate) fn add_bystander(&mut self, user: &str, name: &str, vm: &str) {
        let id = self.stage.vm(vm).unwrap().id;
        let number = self.bystanders.len();
        let started = Bystander::start(self.host(), number, user, name, &id);
        self.bystanders.push(started.unwrap());
    }

    /// Sees to it that a process of the host lives as long as the scene.
    pub(crate) fn watch(&mut self, what: &str, pid: u32) {
        let watched = Bystander::watch(self.host(), what, pid).unwrap();
        self.bystanders.push(watched);
    }

    fn canary(&self) -> String {
        let line = format!("find {CANARY} -printf '%p %m %U %G %s %T@ %l\\n'; cat {CANARY}/file");
        self.host().shell(&line).unwrap().ok().unwrap()
    }

    /// Starts a VM that does a deed.
    pub(crate) fn run(&self, name: &str, deed: &str) -> Output {
        let kernel = kernel_of(deed);
        fake::write_kernel(self.host(), &kernel, deed).unwrap();
        let words = ["vm", "run", name, "--kernel", &kernel];
        self.stage.banger_as_owner(&words).unwrap()
    }

    /// Tells a VM to do its deed now.
    pub(crate) fn go(&self, name: &str) {
        let id = self.stage.vm(name).unwrap().id;
        let go = format!("/var/lib/banger-root/jail/firecracker/{id}/root/go");
        self.host().write(go, "").unwrap();
    }

    /// Starts a guest of the real Firecracker that ticks.
    pub(crate) fn run_real(&self, name: &str) -> Guest {
        self.stage.run_guest(name).unwrap()
    }

    /// Waits until a VM has said a thing on its console.
    pub(crate) fn wait_for_word(&self, name: &str, word: &str) {
        let id = self.stage.vm(name).unwrap().id;
        let log = self
            .host()
            .path(format!("/var/lib/banger-root/vms/{id}/console.log"));
        command::wait_for(&format!("{word:?} of {name}"), 20, || {
            let said = fs_err::read(&log).map_err(|error| error.to_string())?;
            let said = String::from_utf8_lossy(&said).into_owned();
            if said.lines().any(|line| line.trim_end().contains(word)) {
                Ok(())
            } else {
                Err(said.lines().rev().take(5).collect::<Vec<_>>().join("\n"))
            }
        })
        .unwrap();
    }

    /// Starts a VM, has it do its deed, and waits until it is done.
    pub(crate) fn run_and_do(&self, name: &str, deed: &str) {
        self.run(name, deed).ok().unwrap();
        self.go(name);
        self.wait_for_word(name, &format!("fake: done {deed}"));
    }

    /// The record of a VM, as it lies on the disk.
    pub(crate) fn record(&self, name: &str) -> Value {
        let id = self.stage.vm(name).unwrap().id;
        let path = format!("/var/lib/banger-root/vms/{id}/record.json");
        serde_json::from_slice(&fs_err::read(self.host().path(path)).unwrap()).unwrap()
    }

    /// Ends a VM as its owner does; then nothing of it may be left.
    pub(crate) fn end(&self, name: &str) {
        let id = self.stage.vm(name).unwrap().id;
        let uid = self.record(name)["uid"].as_u64().unwrap();
        for words in [
            vec!["vm", "stop", name, "--grace", "1"],
            vec!["vm", "delete", name],
        ] {
            self.stage.banger_as_owner(&words).unwrap().ok().unwrap();
        }
        self.check_nothing_left(&id, uid);
    }

    /// Neither a process nor a file of a VM is left.
    pub(crate) fn check_nothing_left(&self, id: &str, uid: u64) {
        let line = format!(
            "ps -e -o uid=,pid=,args= | grep '^ *{uid} '; \
             ls -d /var/lib/banger-root/jail/firecracker/{id} /var/lib/banger-root/vms/{id} \
             /run/banger-root/{id}.sock 2>/dev/null; \
             systemctl list-units --all --plain --no-legend 'banger-vm-{id}.scope'; true"
        );
        let left = self.host().shell(&line).unwrap().ok().unwrap();
        assert_eq!(left, "", "something of VM {id} is left");
    }

    /// The helper answers and was never started anew; the good guest, the bystanders and the folder
    /// are as they were.
    pub(crate) fn check(&self) {
        let mut wrong = String::new();
        let mut hold = |what: &str, right: bool, seen: &str| {
            if !right {
                let _ = writeln!(wrong, "{what}: {seen}");
            }
        };
        let restarts = self.host().property(HELPER, "NRestarts").unwrap();
        hold("the helper was restarted", restarts == "0", &restarts);
        let vms = self.stage.vms();
        hold("vm list", vms.is_ok(), &format!("{vms:?}"));
        let good = self.stage.check_untouched(&self.good);
        hold("the good guest", good.is_ok(), &format!("{good:?}"));
        for ended in self.ended_bystanders() {
            hold("a bystander was ended", false, ended);
        }
        let canary = self.canary();
        hold(
            "the folder that nobody may touch",
            canary == self.canary,
            &canary,
        );
        assert!(wrong.is_empty(), "{wrong}{}", self.last_words());
    }

    /// All that are watched live.
    pub(crate) fn check_bystanders(&self) {
        let ended = self.ended_bystanders();
        assert!(ended.is_empty(), "bystanders were ended: {ended:?}");
    }

    pub(crate) fn check_untouched_good(&self) {
        self.stage.check_untouched(&self.good).unwrap();
    }

    fn ended_bystanders(&self) -> Vec<&str> {
        let ended = |bystander: &&Bystander| !bystander.lives().unwrap();
        let ended = self.bystanders.iter().filter(ended);
        ended.map(|bystander| bystander.what.as_str()).collect()
    }

    fn last_words(&self) -> String {
        let journal = self.host().journal(Some(HELPER)).unwrap_or_default();
        let lines: Vec<&str> = journal.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// The helper's process, as this machine counts, and as the host does.
    pub(crate) fn helper(&self) -> (u32, u32) {
        let inner = self.host().property(HELPER, "MainPID").unwrap();
        let inner = inner.parse().unwrap();
        (self.host().outer_pid(inner).unwrap(), inner)
    }

    /// The most memory that the helper has had in RAM, in KiB.
    pub(crate) fn helper_peak_kib(&self) -> u64 {
        peak_kib(self.helper().0).unwrap()
    }

    /// Restarts the helper by systemd, and waits until it answers.
    pub(crate) fn restart_helper(&self) {
        let line = format!("systemctl restart {HELPER}");
        self.host().shell(&line).unwrap().ok().unwrap();
        self.stage.vms().unwrap();
    }
}

fn kernel_of(deed: &str) -> String {
    format!("/home/alice/{deed}.elf")
}

/// Whether the host's Firecracker is the real one.
fn is_real(stage: &Stage) -> bool {
    let installed = fs_err::metadata(stage.host.path("/usr/local/bin/firecracker")).unwrap();
    let ours = fs_err::metadata(fake::vmm().unwrap()).unwrap();
    installed.len() != ours.len()
}
