//! What was ever written must be read for ever. A file in `fixtures/` is never changed and never
//! removed; a new schema adds one.

#![allow(clippy::unwrap_used, reason = "a test")]

use banger_installer::effect::HostFiles;
use banger_installer::journal::{Journal, Operation, Recorded};
use banger_installer::model::{
    AntiRollbackState, ArtefactKind, KeyList, Manifest, Probation, Receipt, ReleaseList, Urgency,
    Version,
};

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
fn receipt_schema_1_with_contents_is_read_and_written_as_it_is() {
    let bytes = fs_err::read(fixture("receipt-1-contents.json")).unwrap();
    let receipt = Receipt::from_json(&bytes).unwrap();
    let files = &receipt.contents[&Version::new(0, 1, 1)];
    assert_eq!(files["bin/banger"].hex(), "b".repeat(64));
    assert_eq!(receipt.contents.len(), 2);
    assert_eq!(receipt.to_json().unwrap(), bytes);
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
fn a_manifest_of_nothing_but_unknown_kinds_is_refused() {
    let text = fs_err::read_to_string(fixture("manifest-1.json")).unwrap();
    let later = text.replace("\"kind\": \"release\"", "\"kind\": \"later\"");
    let error = Manifest::from_json(later.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("unknown"), "{error}");
}

#[test]
fn manifest_schema_1_is_read_and_written_as_it_is() {
    let bytes = fs_err::read(fixture("manifest-1.json")).unwrap();
    let manifest = Manifest::from_json(&bytes).unwrap();
    assert_eq!(manifest.version, Version::new(0, 1, 2));
    assert_eq!(manifest.sequence, 99);
    let artefact = manifest.release_for("x86_64-unknown-linux-gnu").unwrap();
    assert_eq!(artefact.size, 4_446_162);
    assert_eq!(manifest.to_json().unwrap(), bytes);
}

#[test]
fn a_manifest_with_everything_keeps_what_this_version_knows() {
    let bytes = fs_err::read(fixture("manifest-1-full.json")).unwrap();
    let manifest = Manifest::from_json(&bytes).unwrap();
    assert_eq!(manifest.urgency, Urgency::Critical);
    assert!(manifest.notes.contains("kept"), "{}", manifest.notes);
    let kinds: Vec<_> = manifest.artefacts.iter().map(|found| found.kind).collect();
    // the kind of a later version is left aside
    let known = [
        ArtefactKind::Release,
        ArtefactKind::GuestKernel,
        ArtefactKind::GuestImage,
        ArtefactKind::Firecracker,
        ArtefactKind::Package,
    ];
    assert_eq!(kinds, known);
    let again = Manifest::from_json(&manifest.to_json().unwrap()).unwrap();
    assert_eq!(again, manifest);
    let text = String::from_utf8(bytes).unwrap();
    let odd = text.replace("\"critical\"", "\"apocalyptic\"");
    let odd = Manifest::from_json(odd.as_bytes()).unwrap();
    assert_eq!(odd.urgency, Urgency::Medium);
    let twice = text.replace("later.bin", "banger-0.2.0-x86_64-unknown-linux-gnu.tar.gz");
    assert!(
        Manifest::from_json(twice.as_bytes()).is_err(),
        "a name twice"
    );
}

#[test]
fn a_list_of_keys_and_a_record_of_what_was_seen_are_read_as_they_were_written() {
    let bytes = fs_err::read(fixture("keys-1.json")).unwrap();
    let list = KeyList::from_json(&bytes).unwrap();
    assert_eq!(
        (list.threshold, list.keys.len(), list.revoked.len()),
        (2, 3, 1)
    );
    assert_eq!(list.to_json().unwrap(), bytes);

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
fn a_probation_of_schema_1_is_read_and_keeps_what_it_does_not_know() {
    let bytes = fs_err::read(fixture("trial-1.json")).unwrap();
    let probation = Probation::from_json(&bytes).unwrap();
    assert_eq!(probation.version, Version::new(0, 1, 1));
    assert_eq!(probation.state.len(), 1);
    assert_eq!(probation.to_json().unwrap(), bytes);
    let future = String::from_utf8(bytes).unwrap();
    let future = future.replace("\"schema\": 1,\n  \"version", "\"schema\": 2,\n  \"version");
    assert!(Probation::from_json(future.as_bytes()).is_err());
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

/// Written on a host by a program from before releases said what they consist of, and before words of
/// the model changed: at an install, half way through an update, and after it.
#[test]
fn what_a_program_from_before_lists_left_on_a_host_is_read_whole() {
    let landed = |name: &str| fixture(&format!("landed/{name}"));
    for (name, previous) in [
        ("receipt.json", None),
        ("receipt-updated.json", Some(Version::new(0, 1, 0))),
    ] {
        let bytes = fs_err::read(landed(name)).unwrap();
        let receipt = Receipt::from_json(&bytes).unwrap();
        assert_eq!(receipt.previous, previous, "{name}");
        assert!(receipt.contents.contains_key(&receipt.version), "{name}");
        assert_eq!(receipt.to_json().unwrap(), bytes, "{name}");
    }
    let bytes = fs_err::read(landed("seen.json")).unwrap();
    let seen = AntiRollbackState::from_json(&bytes).unwrap();
    assert_eq!(seen.to_json().unwrap(), bytes);
    let bytes = fs_err::read(landed("trial.json")).unwrap();
    let probation = Probation::from_json(&bytes).unwrap();
    assert_eq!(probation.previous, Version::new(0, 1, 0));
    assert_eq!(probation.to_json().unwrap(), bytes);

    let path = landed("journal-update.json");
    let journal = Journal::load(&path, &HostFiles).unwrap().unwrap();
    assert_eq!(journal.operation, Operation::Update);
    let unknown = journal
        .entries
        .iter()
        .filter(|entry| matches!(entry.step, Recorded::Unknown(_)));
    assert_eq!(unknown.count(), 0, "a step has lost its name");
    let written: serde_json::Value = serde_json::to_value(&journal).unwrap();
    let read: serde_json::Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    assert_eq!(written, read, "it loses something");
}
