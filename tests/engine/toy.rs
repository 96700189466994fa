//! A host with the toy product on it whose releases nobody signs.

use banger_tests::support::command::{self, Output};
use banger_tests::support::race::Race;
use banger_tests::support::tree::{Tree, tree};
use banger_tests::support::{Host, programs};

/// Where the program lies on the host.
const PROGRAM: &str = "/usr/local/sbin/toy";

/// Where strace tells of a disturbed update.
pub(crate) const TRACE: &str = "/root/trace";

/// The unit that rolls back what a dead update left.
pub(crate) const RESCUE: &str = "toy-rescue.service";

/// A release whose daemon comes up when `/root/go` is there: an update to it stays in the middle.
pub(crate) const WAITING: &str = "0.1.4";

/// A host with releases of the toy product in `/root`.
pub(crate) struct Toy {
    pub(crate) host: Host,
}

impl Toy {
    /// A host on which nothing of the product is.
    pub(crate) fn new() -> Self {
        Self::on(Host::new().without_firecracker().build().unwrap())
    }

    /// The same on a host of another make.
    pub(crate) fn on(host: Host) -> Self {
        let program = programs::own("unsigned-toy").unwrap();
        host.copy(&program, PROGRAM).unwrap();
        let toy = Self { host };
        for words in ["0.1.0", "0.1.1", "0.1.2 broken", "0.1.3 liar"] {
            let version = words.split(' ').next().unwrap();
            let made = toy.run(&format!("make-release /root/{version} {words}"));
            made.ok().unwrap();
        }
        toy
    }

    /// A host on which 0.1.0 runs.
    pub(crate) fn installed() -> Self {
        let toy = Self::new();
        toy.install().ok().unwrap();
        toy
    }

    pub(crate) fn run(&self, words: &str) -> Output {
        self.host.shell(&format!("{PROGRAM} {words}")).unwrap()
    }

    pub(crate) fn install(&self) -> Output {
        self.run("install /root/0.1.0 0.1.0")
    }

    pub(crate) fn update(&self, version: &str) -> Output {
        self.run(&format!("update /root/{version} {version}"))
    }

    /// Keeps the rescue unit from doing anything, until the next boot.
    pub(crate) fn keep_rescue_away(&self) {
        self.shell(
            "mkdir -p /run/systemd/system/toy-rescue.service.d && \
             printf '[Unit]\\nConditionPathExists=/nonexistent\\n' \
                 > /run/systemd/system/toy-rescue.service.d/off.conf && systemctl daemon-reload",
        );
    }

    pub(crate) fn shell(&self, line: &str) -> String {
        self.host.shell(line).unwrap().ok().unwrap().trim().into()
    }

    /// The child's pid and start time.
    pub(crate) fn child(&self) -> String {
        self.shell("pid=$(cat /var/lib/toy/child); cut -d' ' -f1,22 /proc/$pid/stat")
    }

    pub(crate) fn child_group(&self) -> String {
        self.shell("grep ^0:: /proc/$(cat /var/lib/toy/child)/cgroup")
    }

    /// The version that runs, as its own process told.
    pub(crate) fn answer(&self) -> String {
        self.shell("read pid version < /run/toy/answer; kill -0 $pid && echo $version")
    }

    pub(crate) fn current(&self) -> String {
        self.shell("readlink /usr/local/lib/toy/current")
    }

    /// The files and links of the product's on the disk. What the host remembers of releases that
    /// failed is left out: it is meant to stay when all else is rolled back.
    pub(crate) fn tree(&self) -> Tree {
        let tops = [
            "etc/systemd/system",
            "usr/local/lib",
            "usr/local/bin",
            "etc/toy",
            "var/lib/toy-install",
        ];
        let mut found = tree(&self.host.path("/"), &tops).unwrap();
        found.retain(|path, what| {
            !what.starts_with("folder") && !path.ends_with("toy-install/seen.json")
        });
        found
    }

    pub(crate) fn make_waiting_release(&self) {
        self.shell(&format!(
            "/usr/local/sbin/toy make-release /root/{WAITING} {WAITING} && \
             sed -i 's|^echo \"[$][$] .*|while [ ! -e /root/go ]; do sleep 0.02; done\\n&|' \
                 /root/{WAITING}/bin/toyd && grep -q /root/go /root/{WAITING}/bin/toyd"
        ));
    }

    /// An update to the waiting release that has come to its restart.
    pub(crate) fn update_in_the_middle(&self) -> Race {
        self.make_waiting_release();
        let line = format!("{PROGRAM} update /root/{WAITING} {WAITING}");
        let race = Race::start(&self.host, 1, &line).unwrap();
        self.wait_for_the_middle();
        race
    }

    /// Waits until an update to the waiting release has come to its restart.
    fn wait_for_the_middle(&self) {
        command::wait_for("the update to be in the middle", 30, || {
            let state = self.host.property("toyd.service", "ActiveState");
            match state.as_deref() {
                Ok("activating") if self.current() == WAITING => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .unwrap();
    }

    pub(crate) fn wait_for_version(&self, version: &str) {
        command::wait_for(&format!("{version} to run"), 60, || {
            let now = self.host.shell("cat /run/toy/answer");
            let text = now.map(|output| output.stdout).unwrap_or_default();
            if text.trim().ends_with(version) && self.current() == version {
                return Ok(());
            }
            Err(text)
        })
        .unwrap();
    }

    pub(crate) fn wait_until_idle(&self) {
        command::wait_for("the rescue unit to end", 90, || {
            match self.host.property(RESCUE, "ActiveState").as_deref() {
                Ok("inactive") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .unwrap();
    }

    /// A line that updates to 0.1.1, from a folder of its own so that it can be tried again, and has
    /// strace(1) do something at one of its `calls`; what it did is told in [`TRACE`].
    pub(crate) fn disturbed_update(&self, calls: &str, what: &str) -> String {
        self.shell(&format!(
            "rm -rf /root/fetched {TRACE}; cp -r /root/0.1.1 /root/fetched"
        ));
        format!(
            "exec strace -f -o {TRACE} -e trace={calls} -e inject={calls}:{what} \
             {PROGRAM} update /root/fetched 0.1.1"
        )
    }

    /// An update to 0.1.1 that dies at the `number`th of its `calls`.
    pub(crate) fn killed_update(&self, calls: &str, number: usize) {
        let what = format!("signal=KILL:when={number}");
        let killed = self.host.shell(&self.disturbed_update(calls, &what));
        let killed = killed.unwrap();
        assert!(!killed.success(), "it was not killed: {}", killed.text());
    }
}
