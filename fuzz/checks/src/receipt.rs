//! What is kept on the disk between two runs: receipt, journal, probation and what was seen. What is
//! read can be written and is read as the same again, the fields of later versions included.

use std::fmt::Debug;

use banger_installer::effect::HostFiles;
use banger_installer::journal::{Journal, Recorded};
use banger_installer::model::{AntiRollbackState, Probation, Receipt};

use crate::{scratch, shown, way};

thread_local! {
    static FOLDER: tempfile::TempDir = scratch::folder();
}

/// Takes the bytes for one of the four files.
pub fn check(bytes: &[u8]) {
    match way(bytes, 4) {
        Some((0, rest)) => round_trip(rest, Receipt::from_json, Receipt::to_json),
        Some((1, rest)) => journal(rest),
        Some((2, rest)) => {
            round_trip(rest, Probation::from_json, Probation::to_json);
            if let Ok(probation) = Probation::from_json(rest) {
                for saved in &probation.state {
                    assert!(!saved.is_outgrown_by(saved.image.contents.as_bytes()));
                }
            }
        }
        Some((_, rest)) => round_trip(
            rest,
            AntiRollbackState::from_json,
            AntiRollbackState::to_json,
        ),
        None => {}
    }
}

fn round_trip<T: Debug + PartialEq, E: std::error::Error + 'static>(
    bytes: &[u8],
    read: fn(&[u8]) -> Result<T, E>,
    write: fn(&T) -> Result<Vec<u8>, E>,
) {
    let value = match read(bytes) {
        Ok(value) => value,
        Err(error) => return shown(&error),
    };
    let written = write(&value).expect("what was read can be written");
    let again = read(&written).expect("what was written can be read");
    assert_eq!(value, again);
    assert_eq!(written, write(&again).unwrap());
}

fn journal(bytes: &[u8]) {
    let Some(journal) = load(bytes) else {
        return;
    };
    assert_eq!(journal.undos().len(), journal.entries.len());
    for entry in &journal.entries {
        if let Recorded::Known(step) = &entry.step {
            assert!(!step.to_string().is_empty());
        }
    }
    let written = written(&journal);
    let again = load(&written).expect("what was written can be read");
    // of a step that names a key twice, and so is none of ours, the last word is kept: it may read as
    // another step then, but what rolls the operation back must stay
    assert_eq!(without_steps(journal), without_steps(again.clone()));
    assert_eq!(Some(&again), load(&self::written(&again)).as_ref());
}

fn written(journal: &Journal) -> Vec<u8> {
    serde_json::to_vec_pretty(journal).expect("what was read can be written")
}

fn without_steps(mut journal: Journal) -> Journal {
    for entry in &mut journal.entries {
        entry.step = Recorded::Unknown(serde_json::Value::Null);
    }
    journal
}

/// Journals are read from the disk alone.
fn load(bytes: &[u8]) -> Option<Journal> {
    FOLDER.with(|folder| {
        let path = folder.path().join("journal.json");
        fs_err::write(&path, bytes).unwrap();
        match Journal::load(&path, &HostFiles) {
            Ok(journal) => Some(journal.expect("the file is there")),
            Err(error) => {
                assert!(error.hint().is_some(), "{error} has no hint");
                shown(&error);
                None
            }
        }
    })
}
