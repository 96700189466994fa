//! A host with the toolkit's toy product on it.

use std::path::PathBuf;

use banger_tests::support::command::{self, Output};
use banger_tests::support::{Host, Result, programs};

/// Where the example lies on the host.
const PROGRAM: &str = "/usr/local/sbin/toy";

/// A host with releases of the toy product in `/root`.
pub(crate) struct Toy {
    pub(crate) host: Host,
}

/// Builds the installer's example.
fn example() -> Result<PathBuf> {
    let words = "build --quiet --locked -p banger-installer --example toy";
    command::run(programs::cargo().args(words.split(' ')))?.ok()?;
    programs::own("examples/toy")
}

impl Toy {
    /// A host on which nothing of the product is.
    pub(crate) fn new() -> Self {
        Self::on(Host::new().without_firecracker().build().unwrap())
    }

    /// The same on a host of another make.
    pub(crate) fn on(host: Host) -> Self {
        let example = example().unwrap();
        host.copy(&example, PROGRAM).unwrap();
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

    /// Everything of the product's on the disk: names, and contents of files.
    pub(crate) fn tree(&self) -> String {
        self.shell(
            "find /etc/systemd/system /usr/local/lib /usr/local/bin /etc/toy /var/lib/toy-install \
             \\( -type f -exec sha256sum {} + \\) -o \\( -type l -printf '%p -> %l\\n' \\) 2>&1 \
             | sort",
        )
    }
}
