//! `banger-release script`: install.sh with the pins of a release.

use std::process::Command;

use crate::bench::{Bench, succeeds, workspace};

const SCRIPT: &str = "script --release dist --public-key keys/ann.pub --out install.sh \
                      --release-url https://releases.example.org/banger/stable/";

/// A bench with a built release and the template.
fn bench() -> Bench {
    let bench = Bench::new(&["ann", "bob"]);
    bench.programs("0.1.1");
    bench.ok(
        "build --version 0.1.1 --channel stable --binaries bin --workspace workspace \
         --key keys/ann.key --out dist --no-sbom",
    );
    fs_err::create_dir(bench.path("workspace/packaging")).unwrap();
    let template = workspace().join("packaging/install.sh");
    fs_err::copy(template, bench.path("workspace/packaging/install.sh")).unwrap();
    bench
}

#[test]
fn the_script_takes_its_own_release_and_no_other_key_or_sum() {
    let bench = bench();
    bench.ok(&format!("{SCRIPT} --workspace workspace"));
    let text = bench.read("install.sh");
    assert!(text.contains("release_url='https://releases.example.org/banger/stable'\n"));
    assert!(text.contains("version='0.1.1'\n"));
    // one architecture was built: the other is still refused by the script
    let unfilled = text.lines().filter(|line| line.contains("='@")).count();
    assert_eq!(unfilled, 1, "{text}");

    let run = |shell: &str, out: &str| {
        let script = bench.path("install.sh");
        let mut command = Command::new(shell);
        command
            .arg(script)
            .args(["--unpack", out, "--from", "dist"]);
        command.current_dir(bench.path(""));
        command.output().unwrap()
    };
    let output = run("dash", "unpacked");
    assert!(output.status.success(), "{output:?}");
    assert!(bench.path("unpacked/bin/bangerd").is_file());

    let other = SCRIPT.replace("ann", "bob");
    bench.ok(&format!("{other} --workspace workspace"));
    let output = run("dash", "again");
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    assert!(!bench.path("again").exists());
    succeeds(Command::new("sh").arg("-n").arg(bench.path("install.sh")));
}

#[test]
fn what_would_end_a_quote_or_has_no_place_in_the_script_is_refused() {
    let bench = bench();
    for address in [
        "https://example.org/'$(id)'",
        "http://example.org/stable",
        "https://example.org/{channel}",
        "https://example.org/a@b",
    ] {
        let words = SCRIPT.replace("https://releases.example.org/banger/stable/", address);
        let said = bench.fails(&format!("{words} --workspace workspace"), 2);
        assert!(said.contains("address"), "{said}");
    }
    let template = bench.path("workspace/packaging/install.sh");
    let text = fs_err::read_to_string(&template).unwrap();
    fs_err::write(&template, text.replace("version='@version@'\n", "")).unwrap();
    let said = bench.fails(&format!("{SCRIPT} --workspace workspace"), 11);
    assert!(said.contains("version"), "{said}");
    assert!(!bench.path("install.sh").exists());
}
