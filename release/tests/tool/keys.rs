//! `banger-release key make`, and where passwords come from.

use std::process::Command;

use crate::bench::{Bench, TOOL, fails};

/// The line that minisign's format encrypts: RWRTY says that a password is needed.
fn is_encrypted(bench: &Bench, key: &str) -> bool {
    let text = bench.read(&format!("keys/{key}.key"));
    text.lines().nth(1).unwrap().starts_with("RWRTY")
}

#[test]
fn a_key_is_encrypted_with_what_is_typed_twice_at_the_terminal() {
    let bench = Bench::new(&[]);
    let typed = bench.shell(
        r#"printf "horse\nhorse\n" |
           script -qec "$tool key make --out keys" /dev/null"#,
    );
    assert!(typed.status.success(), "{typed:?}");
    let said = String::from_utf8_lossy(&typed.stdout).into_owned();
    assert!(said.contains("Password for keys/banger.key"), "{said}");
    assert!(is_encrypted(&bench, "banger"));
    bench.write_secret("password", "horse\n");
    bench.build_with("0.1.1", 1, &["banger"], "--password-file password");
    bench.minisign_takes_each("out-0.1.1/manifest.json", &["banger"]);
    let differs = bench.shell(
        r#"printf "horse\nhouse\n" |
           script -qec "$tool key make --out keys --name other" /dev/null"#,
    );
    let said = String::from_utf8_lossy(&differs.stdout).into_owned();
    assert!(said.contains("passwords differ"), "{said}");
    assert!(!bench.path("keys/other.key").exists());
}

#[test]
fn without_a_terminal_and_without_a_word_about_it_no_key_is_made() {
    let bench = Bench::new(&[]);
    let mut command = Command::new("setsid");
    command
        .args(["--wait", TOOL, "key", "make", "--out", "keys"])
        .current_dir(bench.path(""));
    let said = fails(&mut command, 2);
    assert!(
        said.contains("--password-file") && said.contains("--unencrypted"),
        "{said}"
    );
    assert!(!bench.path("keys").exists());
}

#[test]
fn keys_and_passwords_come_through_descriptors() {
    let bench = Bench::new(&[]);
    bench.write_secret("password", "horse\n");
    let made = bench.shell("cat password | $tool key make --out keys --password-fd 0");
    assert!(made.status.success(), "{made:?}");
    assert!(is_encrypted(&bench, "banger"));
    bench.programs("0.1.1");
    let built = bench.shell(
        "cat keys/banger.key | $tool build --version 0.1.1 --channel stable --no-sbom \
         --binaries bin --workspace workspace --out dist --key-fd 0 --password-fd 3 3<password",
    );
    assert!(built.status.success(), "{built:?}");
    bench.minisign_takes_each("dist/manifest.json", &["banger"]);
}

#[test]
fn passwords_are_taken_in_the_order_of_the_keys_that_need_one() {
    let bench = Bench::new(&["plain"]);
    for name in ["ann", "bob"] {
        bench.write_secret(name, &format!("password of {name}\n"));
        bench.ok(&format!(
            "key make --out keys --name {name} --password-file {name}"
        ));
    }
    let keys = ["ann", "plain", "bob"];
    bench.build_with("0.1.1", 1, &keys, "--password-file ann --password-file bob");
    bench.minisign_takes_each("out-0.1.1/manifest.json", &keys);
    // minisign reads the first of the signatures in the file itself
    let file = "out-0.1.1/manifest.json";
    bench.minisign("ann", file, "out-0.1.1/manifest.json.minisig");

    let build = "build --version 0.1.1 --channel stable --no-sbom --binaries bin \
                 --workspace workspace --out dist";
    let left = format!("{build} --key keys/plain.key --password-file ann");
    assert!(bench.fails(&left, 11).contains("no key is left"));
    let wrong = format!("{build} --key keys/ann.key --password-file bob");
    let said = bench.fails(&wrong, 11);
    assert!(
        said.contains("keys/ann.key") && !said.contains("RWRTY"),
        "{said}"
    );
    let twice = format!("{build} --key keys/plain.key --key keys/plain.key");
    assert!(bench.fails(&twice, 11).contains("twice"));
    assert!(!bench.path("dist").exists());
}

#[test]
fn no_command_takes_a_secret_as_a_word() {
    let bench = Bench::new(&[]);
    for command in [
        "",
        "key",
        "key list",
        "key make",
        "key list make",
        "key rotate",
        "key revoke",
        "key sign",
        "key show",
        "build",
        "publish",
        "verify",
    ] {
        let help = bench.ok(&format!("{command} --help"));
        assert!(help.contains("Example"), "{command}: {help}");
        for line in help.lines().filter(|line| line.contains("--password")) {
            assert!(
                line.contains("--password-file <FILE>")
                    || line.contains("--password-fd <N>")
                    || line.trim_start().starts_with("banger-release"),
                "{command}: {line}"
            );
        }
        assert!(!help.contains("[env:"), "{command}: {help}");
    }
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    let bench = Bench::new(&[]);
    for name in ["../up", "", ".hidden"] {
        let mut command = bench.command("key make --out keys --unencrypted --name");
        assert!(fails(command.arg(name), 11).contains("no name for a key"));
    }
    assert!(!bench.path("keys").exists());
}

#[test]
fn secrets_that_others_can_read_are_refused_with_what_to_type() {
    let bench = Bench::new(&["ann"]);
    bench.write_secret("password", "horse\n");
    bench.ok("key make --out keys --name bob --password-file password");
    bench.programs("0.1.1");
    let build = "build --version 0.1.1 --channel stable --no-sbom --binaries bin \
                 --workspace workspace --out dist";
    let with_password = "--key keys/bob.key --password-file password";
    let list = "key list make --to keys.json --add keys/ann.pub --root-key keys/ann.key";
    for (file, words) in [
        ("keys/ann.key", format!("{build} --key keys/ann.key")),
        ("keys/ann.key", list.to_owned()),
        ("keys/bob.key", format!("{build} {with_password}")),
        ("password", format!("{build} {with_password}")),
        (
            "password",
            "key make --out new --password-file password".into(),
        ),
    ] {
        for mode in [0o640, 0o604, 0o620, 0o602] {
            bench.set_mode(file, mode);
            let said = bench.fails(&words, 11);
            assert!(
                said.contains(&format!("{file} is open to others")),
                "{said}"
            );
            assert!(said.contains(&format!("chmod 600 {file}")), "{said}");
        }
        bench.set_mode(file, 0o600);
    }
    for nothing in ["dist", "keys.json", "new"] {
        assert!(!bench.path(nothing).exists(), "{nothing}");
    }
    // a descriptor of such a file is no better than its name
    bench.set_mode("keys/ann.key", 0o644);
    let line = format!("$tool {build} --key-fd 3 3<keys/ann.key");
    let output = bench.shell(&line);
    assert_eq!(output.status.code(), Some(11), "{output:?}");
    for words in ["--key-fd 1", "--key-fd 2"] {
        let said = bench.fails(&format!("{build} {words}"), 2);
        assert!(said.contains("where this program writes"), "{said}");
    }
    // one that is not open, though another is opened under its number meanwhile
    bench.set_mode("keys/ann.key", 0o600);
    let line = format!("exec 4<&- 5<&-; $tool {build} --key-fd 3 --key-fd 4 3<keys/ann.key");
    let output = bench.shell(&line);
    assert_eq!(output.status.code(), Some(11), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("/proc/self/fd/4"));
    bench.ok(&format!("{build} --key keys/ann.key"));
}
