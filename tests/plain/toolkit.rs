//! The toolkit beneath `installer/` is for any product: it names none, and can be packed without banger.

use std::path::{Path, PathBuf};
use std::process::Command;

use banger_tests::support::{command, programs};

/// The product's name. The toolkit's crates bear it, and what is written of them in code.
const NAME: &str = "banger";
const OWN: [&str; 2] = ["banger-installer", "banger_installer"];

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The tracked files beneath a folder.
fn tracked(folder: &str) -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--", folder])
        .current_dir(project())
        .output()
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let text = String::from_utf8(listed.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// Whether a line names the product, the toolkit's own crates apart.
fn names_the_product(line: &str) -> bool {
    let line = line.to_lowercase();
    let without = OWN.iter().fold(line, |line, own| line.replace(own, ""));
    without.contains(NAME)
}

#[test]
fn no_file_of_the_toolkit_names_the_product() {
    let files = tracked("installer");
    assert!(files.len() > 100, "only {} files are tracked", files.len());
    let mut found = Vec::new();
    for file in files {
        if names_the_product(&file) {
            found.push(file.clone());
        }
        // one that was removed and is not committed yet
        let Ok(bytes) = fs_err::read(project().join(&file)) else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().enumerate();
        let naming = lines.filter(|(_, line)| names_the_product(line));
        found.extend(naming.map(|(at, line)| format!("{file}:{}: {}", at + 1, line.trim())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_name_of_a_crate_is_no_name_of_the_product() {
    assert!(!names_the_product("use banger_installer_host::Hint;"));
    assert!(names_the_product(
        "use banger_installer_host::Hint; // Banger's"
    ));
    assert!(names_the_product("sudo banger update"));
}

/// The toolkit's crates, by the folders that hold them.
fn crates() -> Vec<String> {
    let manifests = tracked("installer");
    let folders = manifests
        .iter()
        .filter_map(|file| file.strip_suffix("/Cargo.toml"));
    let names = folders.map(|folder| folder.replace('/', "-"));
    names.map(|name| format!("{NAME}-{name}")).collect()
}

/// What cargo says of packing these crates, from what is on this machine.
fn package(words: &[&str], crates: &[String], target: &Path) -> String {
    let mut cargo = programs::cargo();
    cargo.args(["package", "--offline", "--allow-dirty", "--no-verify"]);
    cargo.args(words).arg("--target-dir").arg(target);
    for name in crates {
        cargo.args(["--package", name]);
    }
    command::run(cargo.current_dir(project()))
        .unwrap()
        .ok()
        .unwrap()
}

#[test]
fn every_crate_of_the_toolkit_can_be_packed() {
    let target = tempfile::tempdir().unwrap();
    let crates = crates();
    assert!(crates.len() >= 6, "{crates:?}");
    package(&[], &crates, target.path());
    for name in &crates {
        let listed = package(&["--list"], std::slice::from_ref(name), target.path());
        for file in ["README.md", "src/lib.rs"] {
            assert!(
                listed.lines().any(|line| line == file),
                "{name} packs no {file}"
            );
        }
        let mut archives = fs_err::read_dir(target.path().join("package")).unwrap();
        let archive = archives.any(|entry| {
            let found = entry.unwrap().file_name().into_string().unwrap();
            let rest = found
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('-'));
            rest.is_some_and(|rest| {
                rest.starts_with(|first: char| first.is_ascii_digit()) && rest.ends_with(".crate")
            })
        });
        assert!(archive, "{name} is not packed");
    }
}
