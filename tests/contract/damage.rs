//! What banger itself wrote, damaged, edited by hand or from the future: each case is named, with
//! what to type; nothing is changed before it is typed, and typing just that is a way out.

use banger_tests::support::command::Output;
use banger_tests::support::stage::{Guest, Stage};

use crate::commands::{assert_refused, assert_same, tree_but_memory};

const RECEIPT: &str = "/etc/banger/install.json";
const JOURNAL: &str = "/var/lib/banger-install/journal.json";
const VERSIONS: &str = "/usr/local/lib/banger";

/// Every command that must read what is damaged.
const COMMANDS: [&str; 5] = [
    "banger update --yes",
    "banger system restart",
    "banger system install",
    "banger system install --owner alice",
    "banger system uninstall --purge --yes",
];

/// A host with 0.1.0 and a guest on it, which is offered 0.1.1; the unpacked 0.1.0 lies in `/root`.
struct Damaged {
    stage: Stage,
    guest: Guest,
    receipt: String,
}

impl Damaged {
    fn host() -> Self {
        let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
        stage.publish("0.1.1").unwrap();
        let receipt = fs_err::read_to_string(stage.host.path(RECEIPT)).unwrap();
        Self {
            stage,
            guest,
            receipt,
        }
    }

    /// A line of shell under sudo as the owner.
    fn sudo(&self, line: &str) -> Output {
        let line = format!("PATH=$PATH:/usr/local/bin SUDO_USER=alice; export SUDO_USER; {line}");
        self.stage.host.shell(&line).unwrap()
    }

    /// As root who did not come by sudo.
    fn root(&self, line: &str) -> Output {
        let line = format!("PATH=$PATH:/usr/local/bin; {line}");
        self.stage.host.shell(&line).unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        self.stage.host.write(path, text).unwrap();
    }

    /// Runs each command, sees it refused with `code` and `what`, and that nothing came of it.
    /// Gives what the last one told to type.
    fn assert_each_refused(&self, commands: &[&str], code: i32, what: &str) -> String {
        let before = tree_but_memory(&self.stage.host);
        let pid = self.helper_pid();
        let mut told = String::new();
        for command in commands {
            let output = self.root(command);
            assert_refused(&output, code, what, "hint:  nothing was changed; ");
            told = what_to_type(&output);
        }
        assert_same(&before, &tree_but_memory(&self.stage.host));
        assert_eq!(self.helper_pid(), pid, "it was restarted");
        told
    }

    fn helper_pid(&self) -> String {
        let unit = "bangerd-root.service";
        self.stage.host.property(unit, "MainPID").unwrap()
    }

    /// After the way out: the host is whole, in this version, and the guest has not noticed.
    fn assert_whole(&self, version: &str) {
        let status = self.root("banger system status").ok().unwrap();
        assert!(status.contains("as installed"), "{status}");
        assert!(status.contains(&format!("banger {version} ")), "{status}");
        assert_eq!(
            status.matches(&format!(" {version}\n")).count(),
            2,
            "{status}"
        );
        self.stage.check_untouched(&self.guest).unwrap();
        self.root("banger system restart").ok().unwrap();
        self.stage.check_untouched(&self.guest).unwrap();
    }

    /// The guest goes, then everything, by a plain uninstall; what lies in `left` may stay.
    fn assert_removable(&self, left: &[&str]) {
        for words in [["vm", "stop", "web"], ["vm", "delete", "web"]] {
            let done = self.stage.banger_as_owner(&words).unwrap();
            done.ok().unwrap();
        }
        self.root("banger system uninstall --purge --yes")
            .ok()
            .unwrap();
        let found = self.root(
            "find /etc/banger /etc/systemd/system /usr/local/lib /usr/local/bin /var/lib \
             /var/cache /run -name '*banger*' -o -path '*/banger*' | sort",
        );
        let found = found.stdout;
        let mut rest: Vec<&str> = found.lines().collect();
        rest.retain(|path| !left.iter().any(|kept| kept.starts_with(path)));
        assert!(rest.is_empty(), "left: {rest:?}");
    }
}

/// The command that a hint tells to type, without its sudo.
fn what_to_type(output: &Output) -> String {
    let said = &output.stderr;
    let (_, command) = said.rsplit_once("sudo ").expect(said);
    command.lines().next().unwrap().to_owned()
}

#[test]
fn a_receipt_that_cannot_be_used_is_named_and_the_way_out_is_what_the_hint_says() {
    let host = Damaged::host();
    let receipt = host.receipt.clone();
    let cases = [
        (String::new(), "damaged"),
        (receipt[..100].to_owned(), "damaged"),
        (receipt[..receipt.len() - 3].to_owned(), "damaged"),
        ("owner = alice\n".to_owned(), "damaged"),
        (receipt.replace("0.1.0", "one"), "damaged"),
        (
            receipt.replace("\"schema\": 1", "\"schema\": 99"),
            "schema 99",
        ),
    ];
    let count = cases.len();
    for (text, what) in cases {
        host.write(RECEIPT, &text);
        let told = host.assert_each_refused(&COMMANDS, 13, what);
        for command in ["banger system status", "banger update --check"] {
            assert_refused(&host.root(command), 13, what, "hint");
        }
        let sent = host.stage.banger_as_owner(&["vm", "list"]).unwrap();
        assert_refused(&sent, 4, what, "sudo banger system install");
        host.root(&told).ok().unwrap();
        host.sudo("banger system install").ok().unwrap();
        host.assert_whole("0.1.0");
    }
    println!("{count} receipts that cannot be used");
    host.assert_removable(&[&format!("{RECEIPT}.damaged")]);
}

#[test]
fn a_receipt_edited_by_hand_stops_a_run_before_it_moves_anything() {
    let host = Damaged::host();

    // an owner who is no user
    host.write(RECEIPT, &host.receipt.replace("\"alice\"", "\"mallory\""));
    let commands = [
        "banger update --yes",
        "banger system restart",
        "banger system install",
    ];
    let told = host.assert_each_refused(&commands, 11, "installed for mallory");
    host.root(&told.replace("USER", "alice")).ok().unwrap();
    host.assert_whole("0.1.0");

    // a version that is not there, newer than what is offered
    host.write(RECEIPT, &host.receipt.replace("\"0.1.0\"", "\"0.9.9\""));
    let commands = ["banger update --yes", "banger system restart"];
    let told = host.assert_each_refused(&commands, 4, "no release in /usr/local/lib/banger/0.9.9");
    host.root(&told).ok().unwrap();
    host.assert_whole("0.1.0");

    // and neither keeps banger from being removed
    for words in [["vm", "stop", "web"], ["vm", "delete", "web"]] {
        let done = host.stage.banger_as_owner(&words).unwrap();
        done.ok().unwrap();
    }
    let nonsense = host.receipt.replace("\"alice\"", "\"mallory\"");
    host.write(RECEIPT, &nonsense.replace("\"0.1.0\"", "\"0.9.9\""));
    host.root("banger system uninstall --purge --yes")
        .ok()
        .unwrap();
    for gone in [RECEIPT, VERSIONS, "/etc/banger", "/var/lib/banger"] {
        assert!(!host.stage.host.path(gone).exists(), "{gone} is left");
    }
}

#[test]
fn a_journal_that_cannot_be_used_is_named_and_the_way_out_is_what_the_hint_says() {
    let host = Damaged::host();
    let dance = r#"{"schema":1,"operation":"dance","phase":"running","entries":[],"cleanup":[],"scratch":"/x"}"#;
    let undo = r#"{"schema":1,"operation":"update","phase":"running","entries":[{"step":{"step":"link"},"undo":{"undo":"dance"},"done":true}],"cleanup":[],"scratch":"/x"}"#;
    let cases = [
        ("", "damaged"),
        (r#"{"schema": 1, "oper"#, "damaged"),
        (r#"{"schema": 1}"#, "damaged"),
        (dance, "dance"),
        (undo, "damaged"),
        (r#"{"schema": 99}"#, "schema 99"),
    ];
    for (text, what) in cases {
        host.write(JOURNAL, text);
        let told = host.assert_each_refused(&COMMANDS, 13, what);
        let status = host.root("banger system status").ok().unwrap();
        assert!(status.contains(JOURNAL), "{status}");
        host.root(&told).ok().unwrap();
        host.sudo("banger system install").ok().unwrap();
        host.assert_whole("0.1.0");
    }
    println!("{} journals that cannot be used", cases.len());

    // the journal of an update that really died half way: what the hint promises is still true.
    // The rescue would take it back before it could be damaged, so it is kept out of the way.
    let away = "/etc/systemd/system/banger-rescue.service.d/away.conf";
    host.write(away, "[Unit]\nConditionPathExists=/nonexistent\n");
    host.root("systemctl daemon-reload").ok().unwrap();
    host.root(
        "strace -f -o /dev/null -e trace=rename -e inject=rename:signal=KILL:when=12 \
         banger update --yes",
    );
    let half = fs_err::read_to_string(host.stage.host.path(JOURNAL)).unwrap();
    assert!(half.contains("\"running\""), "{half}");
    let current = fs_err::read_link(host.stage.host.path(format!("{VERSIONS}/current"))).unwrap();
    host.write(JOURNAL, &half[..half.len() / 2]);
    host.root(&format!("rm {away} && systemctl daemon-reload"))
        .ok()
        .unwrap();
    let told = host.assert_each_refused(&COMMANDS, 13, "damaged");
    host.root(&told).ok().unwrap();
    host.sudo("banger system install").ok().unwrap();
    host.assert_whole(current.to_str().unwrap());
    host.assert_removable(&[&format!("{JOURNAL}.damaged")]);
}

#[test]
fn a_link_or_version_that_is_missing_comes_back_and_the_guest_lives() {
    let host = Damaged::host();
    let current = format!("{VERSIONS}/current");
    let unpacked = "/root/banger-0.1.0/bin/banger";
    for harm in [
        format!("ln -sfn 0.9.9 {current}"),
        format!("rm {current}"),
        format!("ln -sfn /nonexistent {current}"),
        format!("rm -r {VERSIONS}/0.1.0"),
        "rm /usr/local/bin/banger /usr/local/bin/bangerd".to_owned(),
    ] {
        host.root(&harm).ok().unwrap();
        let status = host.root(&format!("{unpacked} system status"));
        status.exited(0).unwrap();
        let install = host.root(&format!("{unpacked} system install"));
        install.exited(0).unwrap();
        host.assert_whole("0.1.0");
    }
    // the version in use is gone: a restart says so, and an update does not begin what nobody
    // could roll back
    host.root(&format!("rm -r {VERSIONS}/0.1.0")).ok().unwrap();
    let restart = host.root(&format!("{unpacked} system restart"));
    let what = format!("no release in {VERSIONS}/0.1.0");
    assert_refused(&restart, 4, &what, "sudo banger system install");
    let update = host.root(&format!("{unpacked} update --yes"));
    assert_refused(&update, 9, "banger-rescue.service", "hint");
    host.root(&format!("{unpacked} system install"))
        .ok()
        .unwrap();
    host.assert_whole("0.1.0");
    host.root("banger update --yes").ok().unwrap();
    host.assert_whole("0.1.1");
    host.root(&format!("rm -r {VERSIONS}/0.1.0")).ok().unwrap();
    // the one before it stays away: nothing needs it
    let before = host.root(&format!("ls {VERSIONS}")).ok().unwrap();
    assert!(!before.contains("0.1.0"), "{before}");
    host.sudo("banger system install").ok().unwrap();
    host.assert_whole("0.1.1");
    host.assert_removable(&[]);
}

#[test]
fn a_run_folder_without_room_is_named_before_anything_changes() {
    let host = Damaged::host();
    let room = |free: &str| {
        let line = format!(
            "used=$(df -k --output=used /run | tail -n 1); \
             mount -o remount,size=$((used + {free}))k /run"
        );
        host.root(&line).ok().unwrap();
    };
    let commands = [
        "banger update --yes",
        "banger system restart",
        "banger system install",
    ];
    for free in ["8192", "0"] {
        // as after a boot: not even the lock is there yet
        host.root("rm /run/banger-install.lock").ok().unwrap();
        room(free);
        let before = tree_but_memory(&host.stage.host);
        for command in commands {
            let refused = host.root(command);
            assert_refused(&refused, 5, "/run", "df -h /run");
        }
        assert_same(&before, &tree_but_memory(&host.stage.host));
        let status = host.root("banger system status");
        status.exited(0).unwrap();
        host.stage.check_untouched(&host.guest).unwrap();
    }
    room("65536");
    host.root("banger update --yes").ok().unwrap();
    host.assert_whole("0.1.1");
}
