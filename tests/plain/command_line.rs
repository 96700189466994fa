//! The command line as a person or a script meets it, without a host.

use std::io::Read as _;
use std::process::{Command, Output, Stdio};

use banger_tests::support::programs;

fn banger(words: &[&str]) -> Command {
    let program = programs::banger("0.1.0").unwrap().join("banger");
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null());
    command
}

fn run(words: &[&str]) -> Output {
    banger(words).output().unwrap()
}

#[test]
fn every_command_explains_itself_with_examples_where_it_takes_options() {
    for words in [
        &["--help"][..],
        &["update", "--help"],
        &["system", "install", "--help"],
        &["system", "uninstall", "--help"],
        &["vm", "run", "--help"],
    ] {
        let output = run(words);
        assert!(output.status.success(), "{words:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("Usage: banger"), "{words:?}: {text}");
        assert!(text.contains("Examples:"), "{words:?}: {text}");
    }
}

#[test]
fn completions_and_man_pages_are_written_whole() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        assert!(output.status.success(), "{shell}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("uninstall"));
    }
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["man", folder.path().to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    for page in ["banger.1", "banger-update.1", "banger-vm-run.1"] {
        assert!(folder.path().join(page).is_file(), "{page} is missing");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = banger(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}: {said}");
    assert_eq!(said, "");
}

#[test]
fn no_escape_sequence_reaches_a_pipe() {
    let output = run(&["update"]);
    for stream in [output.stdout, output.stderr] {
        assert!(
            !stream.contains(&0x1b),
            "{}",
            String::from_utf8_lossy(&stream)
        );
    }
}

#[test]
fn a_packaged_program_prints_how_its_package_is_updated() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("banger");
    let built = programs::banger("0.1.0").unwrap().join("banger");
    fs_err::copy(built, &program).unwrap();
    let command = "apt-get install --only-upgrade banger";
    fs_err::write(folder.path().join("self-update-instructions"), command).unwrap();
    let output = Command::new(&program).arg("update").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(command));
}
