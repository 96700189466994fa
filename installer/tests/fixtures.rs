//! What was ever written must be read for ever. A file in `fixtures/` is never changed and never
//! removed; a new schema adds one.

#![allow(clippy::unwrap_used, reason = "a test")]

use banger_installer::effect::HostFiles;
use banger_installer::journal::{Journal, Operation};
use banger_installer::model::{AntiRollbackState, Receipt, ReleaseList, Version};

fn fixture(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

#[test]
fn receipt_schema_1_is_read_and_keeps_what_it_does_not_know() {
    let bytes = fs_err::read(fixture("receipt-1.json")).unwrap();
    let receipt = Receipt::from_json(&bytes).unwrap();
    assert_eq!(receipt.version, Version::new(0, 1, 1));
    assert_eq!(receipt.previous, Some(Version::new(0, 1, 0)));
    assert_eq!(receipt.owner.user, "alice");
    assert_eq!(receipt.highest_sequence, 217_553_050);
    // written again it is the same, the unknown field included
    assert_eq!(receipt.to_json().unwrap(), bytes);
}

#[test]
fn numbers_that_a_later_version_wrote_are_kept_to_the_last_digit() {
    let text = fs_err::read_to_string(fixture("receipt-1.json")).unwrap();
    let number = "-92233720368541844674407370955161689793e-7";
    let later = text.replace("\"kept\": true", &format!("\"kept\": {number}"));
    assert_ne!(later, text);
    let receipt = Receipt::from_json(later.as_bytes()).unwrap();
    let written = receipt.to_json().unwrap();
    assert_eq!(Receipt::from_json(&written).unwrap(), receipt);
}

#[test]
fn a_receipt_from_the_future_or_damaged_is_refused() {
    let text = fs_err::read_to_string(fixture("receipt-1.json")).unwrap();
    let future = text.replace("\"schema\": 1", "\"schema\": 2");
    let error = Receipt::from_json(future.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("schema 2"), "{error}");
    for length in 0..text.len() - 2 {
        assert!(
            Receipt::from_json(&text.as_bytes()[..length]).is_err(),
            "{length} bytes taken"
        );
    }
}

#[test]
fn a_journal_keeps_what_it_does_not_know() {
    let path = fixture("journal-1-later.json");
    let journal = Journal::load(&path, &HostFiles).unwrap().unwrap();
    assert!(journal.unknown.contains_key("written_by"));
    let written: serde_json::Value = serde_json::to_value(&journal).unwrap();
    let read: serde_json::Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    assert_eq!(written, read, "it loses something");
}

#[test]
fn journals_of_schema_1_are_read_with_every_step_and_its_undoing() {
    let cases = [
        ("install", Operation::Install),
        ("update", Operation::Update),
        ("restart", Operation::Restart),
        ("uninstall", Operation::Uninstall),
        ("rollback", Operation::Rollback),
    ];
    for (name, operation) in cases {
        let path = fixture(&format!("journal-1-{name}.json"));
        let journal = Journal::load(&path, &HostFiles).unwrap().unwrap();
        assert_eq!(journal.operation, operation);
        assert!(!journal.entries.is_empty(), "{name}");
        let written: serde_json::Value = serde_json::to_value(&journal).unwrap();
        let read: serde_json::Value =
            serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
        assert_eq!(written, read, "{name} loses something");
    }
}

#[test]
fn a_record_of_what_was_seen_is_read_as_it_was_written() {
    let bytes = fs_err::read(fixture("seen-1.json")).unwrap();
    let seen = AntiRollbackState::from_json(&bytes).unwrap();
    assert_eq!(seen.channels["stable"].sequence, 41);
    assert!(seen.unknown.contains_key("written_by"));
    assert_eq!(seen.to_json().unwrap(), bytes);
    let text = String::from_utf8(bytes).unwrap();
    let future = text.replace("\"schema\": 1", "\"schema\": 2");
    let error = AntiRollbackState::from_json(future.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("schema 2"), "{error}");
}

#[test]
fn a_list_of_a_release_of_schema_1_is_read_and_written_as_it_is() {
    let bytes = fs_err::read(fixture("release-1.json")).unwrap();
    let list = ReleaseList::from_json(&bytes).unwrap();
    let [socket, service, timer] = &list.units[..] else {
        panic!("{:?}", list.units);
    };
    assert!(socket.enable && !socket.stateful);
    assert!(service.stateful, "nothing would keep its children");
    assert!(timer.optional);
    assert_eq!(list.shared().collect::<Vec<_>>(), ["share/man/man8/toyd.8"]);
    assert_eq!(list.to_json().unwrap(), bytes);
}
