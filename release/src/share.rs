//! The files of a release beside its programs and units: manual pages, completions, licences.
//!
//! Guarantees: what is written depends on the workspace and on what the built programs say, and on
//! nothing else of this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ReleaseError;

/// The shells, and where each looks for a completion of `banger` beneath `share`.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/banger"),
    ("fish", "fish/vendor_completions.d/banger.fish"),
    ("zsh", "zsh/site-functions/_banger"),
];

/// Where the pages lie that no command line gives.
const PAGES: &str = "docs/man";

/// What people who get a release must get with it.
const DOCUMENTS: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// Puts everything together in a new folder beside the programs, and gives it.
///
/// # Errors
/// [`ReleaseError`], when a file is missing, or a program does not write its pages.
pub(crate) fn share(workspace: &Path, binaries: &Path) -> Result<PathBuf, ReleaseError> {
    let folder = binaries.join("share");
    if folder.exists() {
        fs_err::remove_dir_all(&folder).map_err(ReleaseError::write(&folder))?;
    }
    let program = binaries.join("banger");
    let commands = make(&folder.join("man/man1"))?;
    run(&program, &["man", &commands.to_string_lossy()])?;
    for entry in fs_err::read_dir(workspace.join(PAGES)).map_err(ReleaseError::read(workspace))? {
        let page = entry.map_err(ReleaseError::read(workspace))?.path();
        let Some(section) = page.extension() else {
            continue;
        };
        let to = make(&folder.join(format!("man/man{}", section.to_string_lossy())))?;
        copy(&page, &to)?;
    }
    for (shell, path) in COMPLETIONS {
        let to = folder.join(path);
        make(to.parent().unwrap_or(&folder))?;
        let script = run(&program, &["completions", shell])?;
        fs_err::write(&to, script).map_err(ReleaseError::write(&to))?;
    }
    let documents = make(&folder.join("doc/banger"))?;
    for name in DOCUMENTS {
        copy(&workspace.join(name), &documents)?;
    }
    Ok(folder)
}

fn make(folder: &Path) -> Result<PathBuf, ReleaseError> {
    fs_err::create_dir_all(folder).map_err(ReleaseError::write(folder))?;
    Ok(folder.into())
}

fn copy(file: &Path, folder: &Path) -> Result<(), ReleaseError> {
    let to = folder.join(file.file_name().unwrap_or_default());
    let copied = fs_err::copy(file, &to).map_err(ReleaseError::write(&to));
    copied.map(drop)
}

/// What a built program prints.
fn run(program: &Path, words: &[&str]) -> Result<Vec<u8>, ReleaseError> {
    let output = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ReleaseError::Run {
            program: program.display().to_string(),
            source,
        })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(ReleaseError::Build {
        status: output.status,
    })
}
