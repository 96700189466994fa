//! What about the installed version's folder, and the links that lead to it, is not as it was
//! published.

use std::path::PathBuf;

use super::finding::{Danger, Drift, Finding};
use super::links::{program_link, shared_link};
use crate::model::{Fingerprint, Hint, Product, Receipt};
use crate::observe::HostState;

/// Everything about the installed version that is not as it was published. None of it reaches a
/// guest: a stop goes by the unit, not by the program.
pub fn findings_of_release(product: &Product, state: &HostState) -> Vec<Finding> {
    let Some(receipt) = &state.receipt else {
        return Vec::new();
    };
    let mut found = links(product, state, receipt);
    let folder = product.layout.version(&receipt.version);
    if state.versions.contains(&receipt.version) {
        for (path, print) in &state.published {
            found.extend(file(receipt, path, *print).map(|what| (what, folder.join(path))));
        }
    } else {
        found.push((Drift::VersionMissing, folder));
    }
    found
        .into_iter()
        .map(|(what, path)| Finding {
            unit: None,
            remedy: Some(remedy(product, receipt, &what)),
            what,
            path,
            danger: Danger::None,
        })
        .collect()
}

fn links(product: &Product, state: &HostState, receipt: &Receipt) -> Vec<(Drift, PathBuf)> {
    let mut found = Vec::new();
    let expected = receipt.version.to_string();
    if state.current != Some(PathBuf::from(&expected)) {
        let what = Drift::Current {
            found: state.current.clone(),
            expected,
        };
        found.push((what, product.layout.current()));
    }
    for program in &product.programs {
        let target = state.programs.get(&program.name).cloned().flatten();
        let (link, named) = program_link(product, &program.name);
        if target.as_ref() != Some(&named) {
            found.push((Drift::ProgramLink { found: target }, link));
        }
    }
    for path in &product.shared {
        let target = state.shared.get(path).cloned().flatten();
        let (link, named) = shared_link(product, path);
        if target.as_ref() != Some(&named) {
            found.push((Drift::ProgramLink { found: target }, link));
        }
    }
    found
}

fn file(receipt: &Receipt, path: &str, print: Option<Fingerprint>) -> Option<Drift> {
    let recorded = receipt.contents.get(&receipt.version);
    let Some(print) = print else {
        return Some(Drift::FileMissing);
    };
    if recorded
        .and_then(|files| files.get(path))
        .is_some_and(|digest| *digest != print.digest)
    {
        return Some(Drift::Swapped);
    }
    (path.starts_with("bin/") && !is_sound(print)).then(|| Drift::ProgramPermissions {
        mode: format!("{:04o}", print.mode),
        uid: print.uid,
    })
}

/// Whether a program is root's alone to write, and everybody's to run.
pub fn is_sound(print: Fingerprint) -> bool {
    print.uid == 0 && print.mode & 0o022 == 0 && print.mode & 0o111 == 0o111
}

/// A link is put right by any install; what was in the folder only a release brings back.
fn remedy(product: &Product, receipt: &Receipt, what: &Drift) -> String {
    let hint = match what {
        Drift::Current { .. } | Drift::ProgramLink { .. } | Drift::ProgramPermissions { .. } => {
            Hint::Install
        }
        _ => Hint::InstallRelease {
            version: receipt.version.to_string(),
        },
    };
    product.hint_text.of(&hint)
}
