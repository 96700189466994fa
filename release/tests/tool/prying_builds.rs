//! A build runs programs that others wrote, as the user who holds the keys: they find no key.
//!
//! In cargo's place stands a script that looks for secrets where a build script would: among its own
//! descriptors, and in the process that started it. It runs as a user without privileges, since
//! nothing is hidden from root.

use std::process::Command;

use crate::bench::{Bench, TOOL, succeeds};

/// A user id without an account.
const USER: &str = "64123";
const SECRET: &str = "the password that no build may see";

/// What is asked of cargo and rustc, answered; and everything that looks like a secret, told.
const PRYING_CARGO: &str = r#"#!/bin/sh
case $1 in
--print)
    echo /r
    exit
    ;;
metadata)
    echo '{"packages": [], "workspace_root": "/w"}'
    exit
    ;;
esac
pry() {
    for folder in /proc/self/fd "/proc/$PPID/fd"; do
        for number in 0 3 4 5 6 7 8 9 10 11 12; do
            timeout 1 head -c 4096 "$folder/$number" 2>/dev/null
        done
    done
    (: <"/proc/$PPID/mem") 2>/dev/null && echo "memory can be opened"
}
pry >found
[ -e exchange ] && cp keys/bob.key keys/ann.key
while [ "$1" != --target-dir ]; do shift; done
mkdir -p "$2/debug"
for program in banger bangerd; do
    printf '#!/bin/sh\necho %s %s\n' "$program" "$BANGER_VERSION" >"$2/debug/$program"
    chmod +x "$2/debug/$program"
done
touch built
"#;

/// A bench whose files are [`USER`]'s, with the tool and the script in cargo's place in it.
fn bench() -> Bench {
    let bench = Bench::new(&["ann", "bob"]);
    bench.write_secret("password", &format!("{SECRET}\n"));
    bench.ok("key make --out keys --name locked --password-file password");
    fs_err::copy(TOOL, bench.path("tool")).unwrap();
    fs_err::write(bench.path("cargo"), PRYING_CARGO).unwrap();
    bench.set_mode("cargo", 0o755);
    fs_err::create_dir_all(bench.path("docs/man")).unwrap();
    for document in ["LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
        fs_err::write(bench.path(document), "").unwrap();
    }
    if rustix::process::geteuid().is_root() {
        succeeds(
            Command::new("chown")
                .args(["--recursive", USER])
                .arg(bench.path("")),
        );
    }
    bench
}

/// Builds with these words, which say where the keys are; redirections may follow.
fn build(bench: &Bench, words: &str) -> String {
    let privileges = if rustix::process::geteuid().is_root() {
        format!("setpriv --reuid={USER} --regid={USER} --clear-groups")
    } else {
        String::new()
    };
    let line = format!(
        "export CARGO=$PWD/cargo RUSTC=$PWD/cargo CARGO_TARGET_DIR=$PWD/target HOME=$PWD; \
         exec {privileges} ./tool build --profile dev --version 0.1.1 --channel stable --no-sbom \
         --workspace . --notes workspace/CHANGELOG.md --out dist {words}"
    );
    // the bench itself is the workspace here: what the script leaves lies beside the keys
    if !bench.path("units").exists() {
        fs_err::os::unix::fs::symlink("workspace/units", bench.path("units")).unwrap();
    }
    let output = bench.shell(&line);
    assert!(output.status.success(), "{output:?}");
    assert!(
        bench.path("built").exists(),
        "the script was not asked to build"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What the script found: neither a key, nor the password, nor memory.
fn found_nothing(bench: &Bench) {
    let found = fs_err::read(bench.path("found")).unwrap();
    let found = String::from_utf8_lossy(&found);
    for secret in [
        "RWRTY",
        "RWQAA",
        SECRET,
        "secret key",
        "memory can be opened",
    ] {
        assert!(!found.contains(secret), "{secret} was found");
    }
}

#[test]
fn a_build_finds_no_key_and_no_password_among_descriptors_or_in_the_tool() {
    let bench = bench();
    for (words, signer) in [
        ("--key-fd 3 3<keys/ann.key", "ann"),
        ("--key-fd 9 9<keys/ann.key", "ann"),
        ("--key-fd 0 <keys/ann.key", "ann"),
        (
            "--key-fd 3 --password-fd 4 3<keys/locked.key 4<password",
            "locked",
        ),
        ("--key keys/locked.key --password-fd 0 <password", "locked"),
    ] {
        build(&bench, words);
        found_nothing(&bench);
        bench.minisign_takes_each("dist/manifest.json", &[signer]);
        for done in ["built", "found"] {
            fs_err::remove_file(bench.path(done)).unwrap();
        }
    }
}

#[test]
fn keys_are_read_when_the_build_is_over() {
    let bench = bench();
    fs_err::write(bench.path("exchange"), "").unwrap();
    let said = build(&bench, "--key keys/ann.key");
    assert!(said.contains(&bench.id("bob")), "{said}");
    bench.minisign_takes_each("dist/manifest.json", &["bob"]);
}

#[test]
fn the_script_would_find_a_key_that_lies_open() {
    let bench = bench();
    let line = "./cargo build --target-dir target 7<keys/ann.key";
    let output = bench.shell(line);
    assert!(output.status.success(), "{output:?}");
    let found = fs_err::read_to_string(bench.path("found")).unwrap();
    for sign in ["signing key", "memory can be opened"] {
        assert!(found.contains(sign), "{sign} was not found");
    }
}
