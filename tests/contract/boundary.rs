//! Nothing of whoever calls root, or of whoever may write beside it, leads root astray.

use banger_tests::support::command::Output;
use banger_tests::support::host::Host;
use banger_tests::support::releases::Releases;
use banger_tests::support::stage::{OWNER, Stage};
use serde_json::Value;

use crate::commands::{assert_refused, assert_same, tree};

const STATE: &str = "/var/lib/banger-install";
const SOCKETS: [(&str, &str); 2] = [
    ("bangerd.socket", "/run/banger/bangerd.sock"),
    ("bangerd-root.socket", "/run/banger-root/bangerd-root.sock"),
];

struct Boundary {
    stage: Stage,
    /// The unpacked release.
    folder: String,
}

impl Boundary {
    /// A host with two users, and an unpacked release.
    fn new() -> Self {
        let releases = Releases::new().unwrap();
        let first = releases.sound("0.1.0").unwrap();
        let host = Host::new().user(OWNER).user("bob").build().unwrap();
        let stage = Stage::on(host, releases).unwrap();
        let folder = stage.unpack(&first).unwrap();
        Self { stage, folder }
    }

    fn shell(&self, line: &str) -> Output {
        self.stage.host.shell(line).unwrap()
    }

    /// `banger system install` of the unpacked release, behind some words of shell.
    fn install(&self, before: &str, words: &str) -> Output {
        let banger = format!("{}/bin/banger", self.folder);
        self.shell(&format!("{before} {banger} system install {words}"))
    }

    fn status(&self) -> Value {
        let status = self.stage.banger(&["system", "status", "--json"]);
        serde_json::from_str(&status.unwrap().ok().unwrap()).unwrap()
    }

    fn findings(&self, kind: &str) -> Vec<Value> {
        let status = self.status();
        let findings = status["findings"].as_array().unwrap().iter();
        let of_kind = findings.filter(|finding| finding["kind"] == kind);
        of_kind.cloned().collect()
    }
}

#[test]
fn programs_that_others_can_write_are_not_installed() {
    let host = Boundary::new();
    let folder = &host.folder;
    let before = tree(&host.stage.host);
    let spoils = [
        (
            format!("chmod 777 {folder}/bin"),
            "can be written by others",
        ),
        (
            format!("chmod 666 {folder}/bin/bangerd"),
            "can be written by others",
        ),
        (format!("chmod 757 {folder}"), "can be written by others"),
        (format!("chown bob {folder}/units"), "belongs to uid"),
    ];
    for (spoil, what) in spoils {
        host.shell(&spoil).ok().unwrap();
        let refused = host.install("SUDO_USER=alice", "");
        assert_refused(&refused, 11, what, "hint");
        assert_same(&before, &tree(&host.stage.host));
        let mend =
            format!("chmod -R go-w {folder}; chmod 755 {folder}/bin/*; chown -R root {folder}");
        host.shell(&mend).ok().unwrap();
    }
    // what is the caller's own may be installed
    host.shell(&format!("chown -R alice:alice {folder}"))
        .ok()
        .unwrap();
    let folder_of_alice = format!("mv {folder} /home/alice/banger");
    host.shell(&folder_of_alice).ok().unwrap();
    let line = "SUDO_USER=alice /home/alice/banger/bin/banger system install";
    host.shell(line).ok().unwrap();
    assert_eq!(host.status()["receipt"]["owner"]["user"], "alice");
}

#[test]
fn the_callers_umask_and_variables_and_a_second_administrator_change_nothing() {
    let host = Boundary::new();
    let evil = "umask 0; mkdir -m 777 /tmp/loose; TMPDIR=/tmp/loose LLVM_PROFILE_FILE=/tmp/loose/x \
                BANGER_HELPER_COVERAGE_DIR=/tmp/loose BANGER_OWNER_COVERAGE_DIR=relative \
                SUDO_USER=alice PATH=/tmp/loose";
    host.install(evil, "").ok().unwrap();
    let places = "/etc/banger /usr/local/lib/banger /usr/local/bin /var/lib/banger-install";
    let loose =
        format!("find {places} /etc/systemd/system -name 'banger*' -not -type l -perm /022");
    assert_eq!(host.shell(&loose).ok().unwrap(), "");
    let loose = format!("find {places} -not -type l -perm /022");
    assert_eq!(host.shell(&loose).ok().unwrap(), "");
    let units = "cat /etc/systemd/system/banger*";
    let text = host.shell(units).ok().unwrap();
    assert!(
        !text.contains("loose") && !text.contains("relative"),
        "{text}"
    );
    assert_eq!(host.shell("ls /tmp/loose").ok().unwrap(), "");

    // a second administrator takes no VMs over
    let owner = || host.status()["receipt"]["owner"]["user"].clone();
    let said = host.install("SUDO_USER=bob", "").ok().unwrap();
    assert!(said.contains("alice stays the owner"), "{said}");
    assert_eq!(owner(), "alice");
    let before = tree(&host.stage.host);
    let refused = host.install("SUDO_USER=bob", "--owner bob </dev/null");
    assert_refused(
        &refused,
        3,
        "installed for alice",
        "--owner bob --change-owner",
    );
    assert_same(&before, &tree(&host.stage.host));
    host.install("SUDO_USER=bob", "--owner bob --change-owner")
        .ok()
        .unwrap();
    assert_eq!(owner(), "bob");
}

#[test]
fn records_that_others_may_have_written_are_refused() {
    let host = Boundary::new();
    host.install("SUDO_USER=alice", "").ok().unwrap();
    let restart = "/usr/local/bin/banger system restart";
    let files = [
        (format!("{STATE}/journal.json"), restart),
        (format!("{STATE}/trial.json"), restart),
        (
            format!("{STATE}/seen.json"),
            "/usr/local/bin/banger update --check",
        ),
        ("/etc/banger/install.json".to_owned(), restart),
    ];
    for (path, command) in files {
        let make = format!("test -e {path} || (umask 077; echo '{{}}' >{path}; touch /root/made)");
        host.shell(&make).ok().unwrap();
        for (spoil, mend, what) in [
            ("chown alice", "chown root", "belongs to uid"),
            ("chmod g+w", "chmod g-w", "can be written by others"),
        ] {
            host.shell(&format!("{spoil} {path}")).ok().unwrap();
            assert_refused(&host.shell(command), 13, what, "chown root:root");
            host.shell(&format!("{mend} {path}")).ok().unwrap();
        }
        let remove = format!("if test -e /root/made; then rm {path} /root/made; fi");
        host.shell(&remove).ok().unwrap();
    }
    host.shell(restart).ok().unwrap();
}

#[test]
fn loose_folders_and_limits_on_starts_are_found_and_sockets_stay_over_an_update() {
    let host = Boundary::new();
    host.install("SUDO_USER=alice", "").ok().unwrap();
    // none in force, drop-ins included
    assert_eq!(host.findings("start-limit"), Vec::<Value>::new());
    for unit in ["bangerd.service", "bangerd-root.service"] {
        let limit = host.stage.host.property(unit, "StartLimitIntervalUSec");
        assert_eq!(limit.unwrap(), "0", "{unit}");
    }
    for (unit, _) in SOCKETS {
        let limit = host.stage.host.property(unit, "TriggerLimitIntervalUSec");
        assert_eq!(limit.unwrap(), "0", "{unit}");
    }
    let drop_in = "/etc/systemd/system/bangerd.service.d/limit.conf";
    let text = "[Unit]\nStartLimitIntervalSec=10\nStartLimitBurst=5\n";
    host.stage.host.write(drop_in, text).unwrap();
    host.shell("systemctl daemon-reload").ok().unwrap();
    let found = host.findings("start-limit");
    let [limit] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        limit["text"].as_str().unwrap().contains("5 starts in 10 s"),
        "{limit}"
    );
    assert!(
        limit["remedy"].as_str().unwrap().contains(drop_in),
        "{limit}"
    );
    host.shell(&format!("rm {drop_in}; systemctl daemon-reload"))
        .ok()
        .unwrap();

    host.shell("chgrp staff /usr/local; chmod 2775 /usr/local")
        .ok()
        .unwrap();
    let found = host.findings("loose-folder");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["remedy"], "sudo chmod go-w /usr/local");
    let said = host.install("SUDO_USER=alice", "").ok().unwrap();
    assert!(said.contains("/usr/local has mode 2775"), "{said}");

    let sockets = || {
        SOCKETS.map(|(unit, path)| {
            let facts = ["InvocationID", "ActiveEnterTimestampMonotonic"]
                .map(|name| host.stage.host.property(unit, name).unwrap());
            let inode = host.shell(&format!("stat -c %i {path}")).ok().unwrap();
            (unit, facts, inode)
        })
    };
    let before = sockets();
    let second = host.stage.releases.sound("0.1.1").unwrap();
    host.stage.releases.publish(&second).unwrap();
    let said = host
        .stage
        .banger(&["update", "--yes"])
        .unwrap()
        .ok()
        .unwrap();
    assert!(said.contains("/usr/local has mode 2775"), "{said}");
    assert_eq!(sockets(), before);
    assert_eq!(host.status()["receipt"]["version"], "0.1.1");
}
