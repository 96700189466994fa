//! `banger-release build`: notes, urgency, times, and the software bill of materials.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use banger_installer_trust::model::{Manifest, Urgency};
use banger_release::SBOM_TOOL;
use serde_json::Value;

use crate::bench::{Bench, fails, succeeds, tree, workspace};
use crate::reproducible::copy_of_the_workspace;

const BUILD: &str = "build --version 0.1.1 --channel stable --binaries bin --workspace workspace \
                     --key keys/ann.key --out dist";

fn manifest(bench: &Bench) -> Manifest {
    Manifest::from_json(bench.read("dist/manifest.json").as_bytes()).unwrap()
}

#[test]
fn notes_come_from_the_changelog_or_from_a_file() {
    let bench = Bench::new(&["ann"]);
    bench.programs("0.1.1");
    bench.ok(&format!("{BUILD} --no-sbom --urgency critical"));
    assert_eq!(manifest(&bench).notes, "### Added\n- one");
    assert_eq!(manifest(&bench).urgency, Urgency::Critical);
    fs_err::write(bench.path("notes"), "\nby hand\n").unwrap();
    bench.ok(&format!("{BUILD} --no-sbom --notes notes"));
    assert_eq!(manifest(&bench).notes, "by hand");
    assert_eq!(manifest(&bench).urgency, Urgency::Medium);

    bench.programs("0.1.3");
    let words = BUILD.replace("0.1.1", "0.1.3").replace("dist", "other");
    let said = bench.fails(&format!("{words} --no-sbom"), 11);
    assert!(said.contains("no section [0.1.3]"), "{said}");
    assert!(
        said.contains("hint:") && said.contains("--notes FILE"),
        "{said}"
    );
    assert!(!bench.path("other").exists());
}

#[test]
fn with_source_date_epoch_everything_but_the_signatures_is_the_same_again() {
    let bench = Bench::new(&["ann"]);
    bench.programs("0.1.1");
    let build = |epoch: &str| {
        let mut command = bench.command(&format!("{BUILD} --no-sbom"));
        succeeds(command.env("SOURCE_DATE_EPOCH", epoch));
        let mut files = tree(&bench.path("dist"));
        let signature = files.remove(Path::new("manifest.json.minisig"));
        assert!(signature.is_some() && files.len() == 4, "{files:?}");
        files
    };
    let first = build("1790000000");
    assert_eq!(manifest(&bench).released.as_second(), 1_790_000_000);
    assert_eq!(build("1790000000"), first);
    assert_ne!(build("1790000001"), first);
    for bad in ["", "yesterday", "-1"] {
        let mut command = bench.command(&format!("{BUILD} --no-sbom"));
        let said = fails(command.env("SOURCE_DATE_EPOCH", bad), 2);
        assert!(said.contains("SOURCE_DATE_EPOCH"), "{said}");
    }
}

#[test]
fn programs_that_could_never_believe_a_list_are_not_built() {
    let bench = Bench::new(&["ann", "root"]);
    for threshold in ["0", "2"] {
        let words = BUILD.replace("--binaries bin", "--root keys/root.pub --root-threshold");
        let words = words.replace("--root-threshold", &format!("--root-threshold {threshold}"));
        assert!(bench.fails(&words, 2).contains("can never be there"));
    }
}

#[test]
fn programs_that_one_lost_key_would_cut_off_are_not_built() {
    let bench = Bench::new(&["ann", "root"]);
    for key in ["--root keys/root.pub", "--trusted-key keys/ann.pub"] {
        let said = bench.fails(&BUILD.replace("--binaries bin", key), 2);
        assert!(said.contains("one key alone"), "{said}");
        assert!(said.contains("--root twice"), "{said}");
    }
}

/// The search path with the pinned cargo-cyclonedx, which the bench installs.
fn path_with_the_tool() -> OsString {
    let bench = std::env::var_os("BANGER_BENCH_DIR")
        .map_or_else(|| workspace().join("target/bench"), Into::into);
    let tools = bench.join(SBOM_TOOL.replace('@', "-")).join("bin");
    assert!(
        tools.join("cargo-cyclonedx").is_file(),
        "cargo-cyclonedx is needed: cargo run -p banger-tests --bin prerequisites"
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(tools).chain(std::env::split_paths(&path))).unwrap()
}

fn bill_of(bench: &Bench, workspace: &Path) -> Vec<u8> {
    let words = BUILD.replace(
        "--workspace workspace",
        "--notes workspace/CHANGELOG.md --workspace",
    );
    // the folder may have a space in its name
    let (before, after) = words.split_once("--workspace").unwrap();
    let mut command = bench.command(before);
    command
        .arg("--workspace")
        .arg(workspace)
        .args(after.split_whitespace())
        .env("PATH", path_with_the_tool())
        .env("SOURCE_DATE_EPOCH", "1790000000");
    succeeds(&mut command);
    fs_err::read(bench.path("dist/banger-0.1.1.cdx.json")).unwrap()
}

#[test]
fn the_bill_of_materials_names_what_is_built_and_nothing_of_this_machine() {
    let bench = Bench::new(&["ann"]);
    bench.programs("0.1.1");
    let bytes = bill_of(&bench, &workspace());
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(
        !text.contains(workspace().to_str().unwrap()),
        "a path of this machine"
    );
    assert!(
        !text.contains(std::env::temp_dir().to_str().unwrap()),
        "a temporary path"
    );
    let bill: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(bill["bomFormat"], "CycloneDX");
    assert_eq!(bill["metadata"]["component"]["version"], "0.1.1");
    let rustc = succeeds(Command::new("rustc").arg("--version"));
    let property = serde_json::json!({"name": "banger:rustc", "value": rustc.trim()});
    let properties = bill["metadata"]["properties"].as_array().unwrap();
    assert!(properties.contains(&property), "{properties:?}");
    let parts: BTreeSet<_> = bill["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| {
            let word = |field: &str| part[field].as_str().unwrap().to_owned();
            (word("name"), word("version"))
        })
        .collect();
    let tree = succeeds(
        Command::new("cargo")
            .args([
                "tree",
                "--locked",
                "-p",
                "banger-cli",
                "-p",
                "banger-runtime",
                "-e",
                "normal,build",
            ])
            .args([
                "--prefix",
                "none",
                "--target",
                banger_installer_fetch::host_target(),
            ])
            .current_dir(workspace()),
    );
    let expected: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, rest)| (name.to_owned(), rest.split(' ').next().unwrap().to_owned()))
        .filter(|(name, _)| name != "banger-cli")
        .collect();
    assert_eq!(parts, expected);
    assert!(parts.len() > 50 && !parts.iter().any(|(name, _)| name == "aws-lc-rs"));
    // sums name it, publish takes it along, verify looks at it
    assert_eq!(bench.sha256sum("dist"), 4);
    bench.ok("publish --release dist --to public");
    assert_eq!(bench.sha256sum("public/stable"), 5);

    let copy = copy_of_the_workspace("elsewhere");
    assert_eq!(
        bill_of(&bench, copy.path()),
        bytes,
        "another folder, another bill"
    );
    let left = succeeds(
        Command::new("find")
            .arg(copy.path())
            .args(["-name", "*.cdx*"]),
    );
    assert_eq!(left, "", "something is left in the workspace");
}

#[test]
fn without_the_tool_it_says_how_to_get_it_and_how_to_go_without() {
    let bench = Bench::new(&["ann"]);
    bench.programs("0.1.1");
    fs_err::create_dir(bench.path("cargo-home")).unwrap();
    // a cargo that finds no subcommands
    let cargo = succeeds(Command::new("sh").args(["-c", "rustc --print sysroot"]));
    let mut command = bench.command(BUILD);
    command
        .env("PATH", "/usr/bin:/bin")
        .env("CARGO", Path::new(cargo.trim()).join("bin/cargo"))
        .env("CARGO_HOME", bench.path("cargo-home"));
    let said = fails(&mut command, 5);
    assert!(
        said.contains("cargo install --locked cargo-cyclonedx@") && said.contains("--no-sbom"),
        "{said}"
    );
    assert!(!bench.path("dist").exists());
}
