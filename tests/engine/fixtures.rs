//! Every format that was ever written lets the product be removed: each fixture is put onto a real
//! host, where an uninstall must leave nothing.

use std::path::PathBuf;

use banger_tests::support::place;
use banger_tests::support::tree::Tree;
use serde_json::Value;

use crate::toy::Toy;

const RECEIPT: &str = "/etc/toy/install.json";
const JOURNAL: &str = "/var/lib/toy-install/journal.json";

/// The fixtures, the toolkit's and banger's, whose names start so; a new one is tested without a
/// word here.
fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folders = ["installer/fixtures", "tests/fixtures"];
    let mut found: Vec<PathBuf> = folders
        .into_iter()
        .flat_map(|folder| fs_err::read_dir(place::workspace().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(kind)
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no fixture of a {kind}");
    found
}

/// The machine that wrote the fixtures has a socket, which the toy has not.
fn without_the_socket(value: &mut Value) {
    const SOCKET: &str = "toyd.socket";
    let is_the_sockets = |value: &Value| {
        value == SOCKET || value["step"]["unit"] == SOCKET || {
            let path = value["step"]["path"].as_str();
            path.is_some_and(|path| path.ends_with(SOCKET))
        }
    };
    match value {
        Value::Array(items) => {
            items.retain(|item| !is_the_sockets(item));
            items.iter_mut().for_each(without_the_socket);
        }
        Value::Object(fields) => fields.values_mut().for_each(without_the_socket),
        _ => {}
    }
}

impl Toy {
    fn end_the_child(&self) {
        self.shell("kill $(cat /var/lib/toy/child) && rm /var/lib/toy/child");
    }

    /// What an uninstall had done when it committed: all but the sweeping.
    fn do_all_but_sweep(&self) {
        self.shell(
            "systemctl disable --now toyd.service; systemctl stop toy.slice; \
             rm /etc/systemd/system/toyd.service /etc/systemd/system/toy.slice /usr/local/bin/toyd; \
             mv /usr/local/lib/toy /usr/local/lib/toy.removed; systemctl daemon-reload",
        );
    }

    fn assert_nothing_is_left(&self, before: &Tree, what: &str) {
        assert_eq!(&self.tree(), before, "{what}");
        self.shell("test ! -e /var/lib/toy -a ! -e /var/lib/toy-install -a ! -e /etc/toy");
        let state = self.host.property("toyd.service", "LoadState").unwrap();
        assert_eq!(state, "not-found", "{what}");
    }
}

#[test]
fn a_host_with_any_receipt_that_was_ever_written_can_be_uninstalled() {
    let toy = Toy::new();
    let before = toy.tree();
    let receipts = fixtures("receipt-");
    for fixture in &receipts {
        toy.install().ok().unwrap();
        toy.end_the_child();
        toy.host.copy(fixture, RECEIPT).unwrap();
        toy.run("uninstall --purge").ok().unwrap();
        toy.assert_nothing_is_left(&before, &fixture.display().to_string());
    }
    println!("{} receipts", receipts.len());
}

#[test]
fn a_host_with_any_journal_that_was_ever_written_can_be_uninstalled() {
    let toy = Toy::new();
    let before = toy.tree();
    let journals = fixtures("journal-");
    let mut cases = 0;
    for fixture in &journals {
        for phase in ["running", "committed"] {
            let name = fixture.file_name().unwrap().to_str().unwrap();
            let what = format!("{name}, {phase}");
            let text = fs_err::read_to_string(fixture).unwrap();
            let mut journal: Value = serde_json::from_str(&text).unwrap();
            without_the_socket(&mut journal);
            journal["phase"] = phase.into();

            toy.install().ok().unwrap();
            toy.end_the_child();
            if (journal["operation"].as_str(), phase) == (Some("uninstall"), "committed") {
                toy.do_all_but_sweep();
            }
            toy.host.write(JOURNAL, journal.to_string()).unwrap();
            let mut removed = toy.run("uninstall --purge");
            assert!(
                removed.stdout.contains("Recovered"),
                "{what}: {}",
                removed.text()
            );
            // a run that is rolled back may start the daemon, and that a child
            if removed.stderr.contains("still running") {
                toy.end_the_child();
                removed = toy.run("uninstall --purge");
            }
            assert!(removed.success(), "{what}: {}", removed.text());
            toy.assert_nothing_is_left(&before, &what);
            cases += 1;
        }
    }
    println!("{cases} journals");
}
