//! What banger ever wrote or published must be read for ever. A file in `fixtures/` is never changed
//! and never removed; a new schema adds one. Those that hold no word of banger lie with the toolkit.

use banger_installer::effect::HostFiles;
use banger_installer::journal::{Journal, Operation, Recorded};
use banger_installer::model::{
    AntiRollbackState, ArtefactKind, KeyList, Manifest, Probation, Receipt, Urgency, Version,
};

fn fixture(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
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
fn a_list_of_keys_is_read_as_it_was_written() {
    let bytes = fs_err::read(fixture("keys-1.json")).unwrap();
    let list = KeyList::from_json(&bytes).unwrap();
    assert_eq!(
        (list.threshold, list.keys.len(), list.revoked.len()),
        (2, 3, 1)
    );
    assert_eq!(list.to_json().unwrap(), bytes);
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
