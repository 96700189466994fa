//! Two builds of one commit in two folders are equal, byte for byte.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::bench::{Bench, TOOL, succeeds, tree, workspace};

/// Names the profile for the comparison; `dev` when it is not set, since two cold builds for release
/// take ten minutes on two cores.
const PROFILE: &str = "BANGER_REPRODUCE_PROFILE";

/// Where the programs look for updates.
const ADDRESS: &str = "https://releases.example.org/banger/{channel}";

/// The files of the checkout in a folder of its own; `name` makes its path another's.
pub(crate) fn copy_of_the_workspace(name: &str) -> TempDir {
    let copy = tempfile::Builder::new()
        .prefix(name)
        .tempdir_in(target())
        .unwrap();
    let listed = succeeds(
        Command::new("git")
            .args([
                "ls-files",
                "--cached",
                "--others",
                "--exclude-standard",
                "-z",
            ])
            .current_dir(workspace()),
    );
    for file in listed.split_terminator('\0') {
        let (from, to) = (workspace().join(file), copy.path().join(file));
        // deleted, and not yet committed
        if from.exists() {
            fs_err::create_dir_all(to.parent().unwrap()).unwrap();
            fs_err::copy(from, to).unwrap();
        }
    }
    copy
}

/// A folder on the disk; the temporary folder may lie in memory.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

fn build(bench: &Bench, workspace: &Path, out: &str) {
    let profile = std::env::var(PROFILE).unwrap_or_else(|_| "dev".into());
    let output = Command::new(TOOL)
        .args([
            "build",
            "--version",
            "0.1.1",
            "--channel",
            "stable",
            "--no-sbom",
        ])
        .args([
            "--profile",
            &profile,
            "--key",
            "keys/ann.key",
            "--root",
            "keys/root.pub",
            "--root",
            "keys/spare.pub",
            "--root-threshold",
            "2",
            "--release-url",
            ADDRESS,
        ])
        .args([
            "--notes",
            "workspace/CHANGELOG.md",
            "--out",
            out,
            "--workspace",
        ])
        .arg(workspace)
        .current_dir(bench.path(""))
        .env("SOURCE_DATE_EPOCH", "1790000000")
        // each build has a target folder of its own, within its workspace
        .env_remove("CARGO_TARGET_DIR")
        .env("RUSTFLAGS", format!("--cfg built_for=\"{out}\""))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes
        .windows(word.len())
        .any(|window| window == word.as_bytes())
}

#[test]
fn two_builds_of_one_commit_in_two_folders_are_equal() {
    let bench = Bench::new(&["ann", "root", "spare"]);
    let first = copy_of_the_workspace("one");
    let second = copy_of_the_workspace("another-with-a-longer-name");
    build(&bench, first.path(), "first");
    build(&bench, second.path(), "second");
    let (mut one, mut two) = (tree(&bench.path("first")), tree(&bench.path("second")));
    for files in [&mut one, &mut two] {
        assert!(files.remove(Path::new("manifest.json.minisig")).is_some());
    }
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        two.keys().collect::<Vec<_>>()
    );
    for (name, digest) in &one {
        assert_eq!(two[name], *digest, "{} differs", name.display());
        let size = fs_err::metadata(bench.path("first").join(name))
            .unwrap()
            .len();
        println!("{}: {size} bytes, equal", name.display());
    }
    // what was to be built in is: a copy of the key's line, and the address
    let banger = fs_err::read(first.path().join("target/banger-release/0.1.1/banger")).unwrap();
    let key = |name: &str| {
        let text = bench.read(&format!("keys/{name}.pub"));
        text.lines().nth(1).unwrap().to_owned()
    };
    let pinned = format!("{},{}", key("root"), key("spare"));
    for word in [pinned.as_str(), ADDRESS, "1790000000"] {
        assert!(holds(&banger, word), "{word} is not built in");
    }
    assert!(!holds(&banger, &key("ann")), "a key that was not asked for");
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME"))
        .unwrap();
    for program in banger_release::PROGRAMS {
        let built = first
            .path()
            .join("target/banger-release/0.1.1")
            .join(program);
        let bytes = fs_err::read(built).unwrap();
        for path in [first.path(), second.path(), &workspace(), Path::new(&home)] {
            let path = path.to_str().unwrap();
            assert!(
                path.len() < 3 || !holds(&bytes, path),
                "{program} holds {path}"
            );
        }
        // the names that stand for those folders are there: the search would have found them
        assert!(
            holds(&bytes, "/banger/runtime/src") || holds(&bytes, "/crates/"),
            "{program}"
        );
        println!("{program}: {} bytes, no path of this machine", bytes.len());
    }
}
