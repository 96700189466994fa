//! What makes two builds of one commit the same, byte for byte, wherever they are made.
//!
//! Guarantees: no path of the machine gets into a program: the workspace, the target folder, the
//! folders of the dependencies and the compiler's own are given names that are the same everywhere.
//! What the environment says of flags (`RUSTFLAGS`, `CFLAGS`) does not count.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::ReleaseError;

/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`
/// (<https://doc.rust-lang.org/cargo/reference/environment-variables.html>).
const FLAG_SEPARATOR: &str = "\u{1f}";

/// Folders of this machine, and what they are called in the programs; of two that fit, rustc and gcc
/// take the later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathNames(Vec<(PathBuf, &'static str)>);

/// What `cargo metadata` says, as far as it is wanted.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    manifest_path: PathBuf,
    /// None for the workspace's own.
    source: Option<String>,
}

impl PathNames {
    /// Asks cargo and rustc where they keep things. A dependency that is missing is fetched.
    pub(crate) fn of(
        cargo: &str,
        workspace: &Path,
        target_folder: &Path,
        target: &str,
    ) -> Result<Self, ReleaseError> {
        let mut command = Command::new(cargo);
        command
            .current_dir(workspace)
            .args(["metadata", "--quiet", "--locked", "--format-version=1"])
            .arg(format!("--filter-platform={target}"));
        let metadata: Metadata =
            serde_json::from_slice(&output_of(&mut command)?).map_err(|source| {
                ReleaseError::Metadata {
                    source: Box::new(source),
                }
            })?;
        let mut command = Command::new(variable("RUSTC", "rustc"));
        command.current_dir(workspace).args(["--print", "sysroot"]);
        let sysroot = String::from_utf8_lossy(&output_of(&mut command)?).into_owned();
        Ok(Self::new(
            &metadata,
            target_folder,
            Path::new(sysroot.trim_end()),
        ))
    }

    fn new(metadata: &Metadata, target_folder: &Path, sysroot: &Path) -> Self {
        let mut names = vec![
            (sysroot.to_owned(), "/rust"),
            (metadata.workspace_root.clone(), "/banger"),
            (target_folder.to_owned(), "/banger/target"),
        ];
        // the folder above a package's own: one for all of a registry
        let above: BTreeSet<&Path> = metadata
            .packages
            .iter()
            .filter(|package| package.source.is_some())
            .filter_map(|package| package.manifest_path.parent()?.parent())
            .collect();
        names.extend(
            above
                .into_iter()
                .map(|folder| (folder.to_owned(), "/crates")),
        );
        Self(names)
    }

    /// The value of `CARGO_ENCODED_RUSTFLAGS`.
    pub(crate) fn rust_flags(&self) -> String {
        self.flags("--remap-path-prefix=").join(FLAG_SEPARATOR)
    }

    /// The value of `CFLAGS`, for the C of a dependency (gcc(1), clang(1)).
    pub(crate) fn c_flags(&self) -> String {
        self.flags("-ffile-prefix-map=").join(" ")
    }

    fn flags(&self, option: &str) -> Vec<String> {
        self.0
            .iter()
            .map(|(folder, name)| format!("{option}{}={name}", folder.display()))
            .collect()
    }
}

/// The time of the commit that a workspace stands at, in seconds since 1970; 0 when the workspace is
/// no git checkout.
pub fn commit_time(workspace: &Path) -> u64 {
    let git = |words: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(workspace)
            .args(words)
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    // another project's checkout around the workspace says nothing about it
    match git(&["rev-parse", "--show-prefix"]) {
        Some(prefix) if prefix.is_empty() => git(&["log", "-1", "--format=%ct"])
            .and_then(|text| text.parse().ok())
            .unwrap_or(0),
        _ => 0,
    }
}

/// A variable of the environment that names a program, or the program's usual name.
pub(crate) fn variable(name: &str, usual: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| usual.into())
}

/// What a command wrote, when it succeeded.
pub(crate) fn output_of(command: &mut Command) -> Result<Vec<u8>, ReleaseError> {
    let program = command.get_program().display().to_string();
    let output = command.output().map_err(|source| ReleaseError::Run {
        program: program.clone(),
        source,
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words = command.get_args().map(|word| word.to_string_lossy());
    Err(ReleaseError::Failed {
        command: std::iter::once(program.into())
            .chain(words)
            .collect::<Vec<_>>()
            .join(" "),
        status: output.status,
        said: String::from_utf8_lossy(&output.stderr)
            .trim_end()
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(path: &str, source: Option<&str>) -> Package {
        Package {
            manifest_path: path.into(),
            source: source.map(Into::into),
        }
    }

    #[test]
    fn every_folder_gets_a_name_and_the_inner_ones_come_last() {
        let metadata = Metadata {
            packages: vec![
                package("/home/a/w/runtime/Cargo.toml", None),
                package(
                    "/home/a/.cargo/registry/src/x/b-1.0.0/Cargo.toml",
                    Some("registry"),
                ),
                package(
                    "/home/a/.cargo/registry/src/x/c-1.0.0/Cargo.toml",
                    Some("registry"),
                ),
            ],
            workspace_root: "/home/a/w".into(),
        };
        let names = PathNames::new(
            &metadata,
            Path::new("/home/a/w/target"),
            Path::new("/opt/rust"),
        );
        assert_eq!(
            names.c_flags(),
            "-ffile-prefix-map=/opt/rust=/rust -ffile-prefix-map=/home/a/w=/banger \
             -ffile-prefix-map=/home/a/w/target=/banger/target \
             -ffile-prefix-map=/home/a/.cargo/registry/src/x=/crates"
        );
        assert_eq!(names.rust_flags().split('\u{1f}').count(), 4);
    }

    #[test]
    fn a_folder_that_is_no_checkout_has_no_commit_time() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(commit_time(folder.path()), 0);
        assert_eq!(commit_time(&folder.path().join("missing")), 0);
    }
}
