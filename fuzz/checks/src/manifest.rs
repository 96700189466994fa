//! The signed manifest: what is taken can be written, and is read as the same again.

use banger_installer::model::{ArtefactKind, Manifest, NOTES_LIMIT};

use crate::shown;

/// Takes the bytes for `manifest.json`.
pub fn check(bytes: &[u8]) {
    let manifest = match Manifest::from_json(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return shown(&error),
    };
    documented(&manifest);
    let written = manifest.to_json().expect("what was taken can be written");
    let again = Manifest::from_json(&written).expect("what was written can be read");
    assert_eq!(manifest, again);
    assert_eq!(written, again.to_json().unwrap());
}

/// What the documentation of the type says of every value of it.
fn documented(manifest: &Manifest) {
    assert!(manifest.released < manifest.expires);
    assert!(manifest.notes.len() <= NOTES_LIMIT);
    assert!(!manifest.artefacts.is_empty());
    let mut names = std::collections::BTreeSet::new();
    for artefact in &manifest.artefacts {
        let name = &artefact.name;
        assert_ne!(artefact.kind, ArtefactKind::Unknown);
        assert!(!name.is_empty() && !name.starts_with('.') && !name.contains('/'));
        assert!(names.insert(name), "{name:?} stands twice");
        if let Some(found) = manifest.release_for(&artefact.target) {
            assert_eq!(found.target, artefact.target);
        }
    }
}
