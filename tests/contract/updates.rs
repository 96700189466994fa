//! Bad input for `banger update`: each refusal has its own words, a hint and an exit code, and leaves
//! the host as it was.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use banger_installer::model::Urgency;
use banger_release::{PackOptions, Packed, SigningKey};
use banger_tests::support::command::Output;
use banger_tests::support::releases::Releases;
use banger_tests::support::stage::Stage;
use banger_tests::support::{command, place, programs};

use crate::commands::{assert_refused, assert_same, tree, tree_but_memory};

/// A host with 0.1.0 installed, and the sound release 0.1.1, not yet published.
fn installed() -> (Stage, Packed) {
    let stage = Stage::installed("0.1.0").unwrap();
    let second = stage.releases.sound("0.1.1").unwrap();
    (stage, second)
}

fn update(stage: &Stage, words: &[&str]) -> Output {
    stage
        .banger(&[&["update", "--yes"], words].concat())
        .unwrap()
}

/// Runs an update that must be refused, and sees that nothing came of it but a memory: a manifest
/// that was believed is remembered, whatever becomes of its archive.
fn assert_update_refused(stage: &Stage, words: &[&str], code: i32, what: &str) {
    let before = tree_but_memory(&stage.host);
    assert_refused(&update(stage, words), code, what, "hint");
    assert_same(&before, &tree_but_memory(&stage.host));
    let version = stage.banger(&["--version"]).unwrap().ok().unwrap();
    assert_eq!(version, "banger 0.1.0");
}

fn served(stage: &Stage, name: &str) -> PathBuf {
    stage.releases.public().join(name)
}

#[test]
fn bad_releases_and_sources_are_refused_and_change_nothing() {
    let (stage, second) = installed();
    assert_update_refused(&stage, &[], 7, "manifest.json");
    stage.releases.publish(&second).unwrap();

    // nothing trusted, nothing configured, nobody there
    let keys = stage.host.path("/etc/banger/keys.d");
    let aside = keys.with_extension("aside");
    fs_err::rename(&keys, &aside).unwrap();
    assert_update_refused(&stage, &[], 6, "no trusted key");
    fs_err::rename(&aside, &keys).unwrap();
    let config = "/etc/banger/config.toml";
    let text = fs_err::read_to_string(stage.host.path(config)).unwrap();
    stage.host.write(config, "").unwrap();
    assert_update_refused(&stage, &[], 7, "no release source");
    stage.host.write(config, "[update]\nsauce = 1\n").unwrap();
    assert_update_refused(&stage, &[], 2, "config.toml");
    stage.host.write(config, text.replace("8443", "9")).unwrap();
    assert_update_refused(&stage, &[], 7, "127.0.0.1:9");
    stage.host.write(config, text).unwrap();
    assert_update_refused(&stage, &["--from", "/nonexistent"], 2, "no such folder");
    assert_update_refused(
        &stage,
        &["--from", "http://192.0.2.1/manifest.json"],
        2,
        "https",
    );

    // keys that others could have written
    stage
        .host
        .shell("chmod 0666 /etc/banger/keys.d/bench.pub")
        .unwrap()
        .ok()
        .unwrap();
    assert_update_refused(&stage, &[], 6, "bench.pub");
    stage
        .host
        .shell("chmod 0644 /etc/banger/keys.d/bench.pub")
        .unwrap()
        .ok()
        .unwrap();

    // what is served is not what was signed
    let signature = served(&stage, "manifest.json.minisig");
    let manifest = served(&stage, "manifest.json");
    let archive = stage
        .releases
        .public()
        .join(second.archive.file_name().unwrap());
    fs_err::remove_file(&signature).unwrap();
    assert_update_refused(&stage, &[], 6, "not signed");
    stage.releases.publish(&second).unwrap();
    let changed = fs_err::read_to_string(&manifest)
        .unwrap()
        .replace("0.1.1", "0.9.9");
    fs_err::write(&manifest, changed).unwrap();
    assert_update_refused(&stage, &[], 6, "does not match");
    stage.releases.publish(&second).unwrap();
    let mut bytes = fs_err::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&archive, bytes).unwrap();
    assert_update_refused(&stage, &[], 6, "sha256");
    stage.releases.publish(&second).unwrap();

    // signed, but by a stranger
    let stranger = Releases::new().unwrap();
    let theirs = stranger.sound("0.1.1").unwrap();
    for path in [
        &theirs.archive,
        &theirs.manifest_path,
        &theirs.signature_path,
    ] {
        fs_err::copy(
            path,
            served(&stage, path.file_name().unwrap().to_str().unwrap()),
        )
        .unwrap();
    }
    assert_update_refused(&stage, &[], 6, "not trusted");
}

/// Packs 0.1.1 with changes to the options.
fn pack_with(stage: &Stage, sequence: u64, change: impl FnOnce(&mut PackOptions)) -> Packed {
    let mut options = PackOptions {
        set: banger_release::ReleaseSet::of_banger().unwrap(),
        legacy: false,
        binaries: programs::banger("0.1.1").unwrap(),
        units: place::workspace().join("units"),
        version: "0.1.1".parse().unwrap(),
        channel: "stable".into(),
        target: "x86_64-unknown-linux-gnu".into(),
        keys: vec![
            SigningKey::load(
                &stage.releases.public_key().with_file_name("banger.key"),
                None,
            )
            .unwrap(),
        ],
        out: stage
            .releases
            .public()
            .with_file_name(format!("own-{sequence}")),
        sequence: Some(sequence),
        released: None,
        expires_days: 30,
        upgrades_from: "0.1.0".parse().unwrap(),
        urgency: Urgency::default(),
        notes: String::new(),
        sbom: None,
        source_date_epoch: 0,
    };
    change(&mut options);
    let packed = banger_release::pack(&options).unwrap();
    stage.releases.publish(&packed).unwrap();
    packed
}

#[test]
fn releases_that_do_not_fit_are_refused_and_a_full_disk_is_named() {
    let (stage, second) = installed();
    pack_with(&stage, 10, |options| {
        options.target = "riscv64gc-unknown-linux-gnu".into();
    });
    assert_update_refused(&stage, &[], 6, "x86_64-unknown-linux-gnu");
    pack_with(&stage, 11, |options| options.channel = "nightly".into());
    assert_update_refused(&stage, &[], 6, "nightly");
    pack_with(&stage, 12, |options| {
        options.upgrades_from = "0.1.1".parse().unwrap();
    });
    assert_update_refused(&stage, &[], 6, "0.1.1");

    // what was seen is remembered, though it could not be taken
    stage.releases.publish(&second).unwrap();
    assert_update_refused(
        &stage,
        &[],
        6,
        "older than what was seen here: sequence 3, seen 12",
    );
    pack_with(&stage, 13, |_| ());
    // the versions on a disk of their own, which is full; programs of the dev profile take 80 MB of it
    let versions = "/usr/local/lib/banger";
    let fill = format!(
        "cp -a {versions} /root/copy && mount -t tmpfs -o size=128m none {versions} && \
         cp -a /root/copy/. {versions}/ && ! dd if=/dev/zero of={versions}/.fill bs=64k"
    );
    stage.host.shell(&fill).unwrap().ok().unwrap();
    assert_refused(&update(&stage, &[]), 5, "no space", "df -h");
    let left = stage
        .host
        .shell(&format!("ls -A {versions}"))
        .unwrap()
        .ok()
        .unwrap();
    assert_eq!(
        left.split_whitespace().collect::<Vec<_>>(),
        [".fill", "0.1.0", "current"]
    );
    let free = format!("umount {versions} && rm -r /root/copy");
    stage.host.shell(&free).unwrap().ok().unwrap();
    assert_eq!(
        stage.banger(&["--version"]).unwrap().ok().unwrap(),
        "banger 0.1.0"
    );

    // and after all that the sound one is taken; then there is nothing newer
    let good = update(&stage, &[]);
    good.exited(0).unwrap();
    // in a pipe, a download is one line and no bar
    let said = good.text();
    let lines: Vec<_> = said.lines().filter(|line| line.contains(" MB")).collect();
    assert!(
        matches!(lines.as_slice(), [line] if line.contains("downloaded and verified")
            && line.contains("from https://") && line.ends_with(".tar.gz")),
        "{said}"
    );
    assert!(!said.contains(['\r', '\u{1b}']), "{said}");
    let before = tree(&stage.host);
    let again = update(&stage, &[]);
    again.exited(0).unwrap();
    assert!(again.stdout.contains("newest"), "{}", again.text());
    let check = stage.banger(&["update", "--check"]).unwrap();
    check.exited(0).unwrap();
    assert_same(&before, &tree(&stage.host));

    // an older release, soundly signed, is not taken
    pack_with(&stage, 1, |options| {
        options.version = "0.1.1".parse().unwrap();
    });
    assert_refused(&update(&stage, &[]), 6, "older", "hint");
}

#[test]
fn check_has_an_exit_code_of_its_own_and_changes_nothing() {
    let (stage, second) = installed();
    stage.releases.publish(&second).unwrap();
    let before = tree(&stage.host);
    let check = stage.banger(&["update", "--check"]).unwrap();
    check.exited(10).unwrap();
    assert!(check.stdout.contains("0.1.0 → 0.1.1"), "{}", check.text());
    let json = stage.banger(&["update", "--check", "--json"]).unwrap();
    json.exited(10).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(answer["update_available"], true);
    assert_eq!(answer["offered"], "0.1.1");
    assert_same(&before, &tree(&stage.host));
}

/// Starts an update to a release whose `bangerd --version`, once the journal is there, waits until
/// `/srv/slow/go` is there, and returns when it waits: in the middle of the run.
fn update_that_waits(stage: &Stage) -> (Child, String) {
    let shared = ["install", "--directory", "--mode=1777", "/srv/slow"];
    stage.host.run(shared).unwrap().ok().unwrap();
    let folder = stage.releases.public().with_file_name("slow");
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::copy(
        programs::banger("0.1.1").unwrap().join("banger"),
        folder.join("banger"),
    )
    .unwrap();
    let script = "#!/bin/sh\n[ \"$1\" = --version ] || exit 2\n\
                  if [ -e /var/lib/banger-install/journal.json ]; then\n  touch /srv/slow/waiting\n  \
                  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do\n    \
                  [ -e /srv/slow/go ] && break\n    sleep 0.1\n  done\nfi\necho bangerd 0.1.1\n";
    let slow = folder.join("bangerd");
    let mut file = fs_err::File::create(&slow).unwrap();
    file.write_all(script.as_bytes()).unwrap();
    drop(file);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(&slow, mode).unwrap();
    let packed = stage.releases.pack("0.1.1", &folder).unwrap();
    stage.releases.publish(&packed).unwrap();
    let line = "banger update --yes 2>&1 & echo pid $!; wait $!; echo code $?";
    let mut child = stage
        .host
        .command(["/bin/bash", "-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut first).unwrap();
    child.stdout = Some(said.into_inner());
    let pid = first.trim().strip_prefix("pid ").unwrap().to_owned();
    command::wait_for("the update to be in the middle", 20, || {
        let marker = stage.host.path("/srv/slow/waiting");
        marker
            .exists()
            .then_some(())
            .ok_or_else(|| "not yet".to_owned())
    })
    .unwrap();
    (child, pid)
}

#[test]
fn a_second_update_is_turned_away_and_ctrl_c_takes_the_first_one_back() {
    let (stage, _) = installed();
    let guest = stage.run_guest("web").unwrap();
    let before = tree_but_memory(&stage.host);
    let (child, pid) = update_that_waits(&stage);

    let second = update(&stage, &[]);
    assert_refused(&second, 8, &pid, "hint");

    stage
        .host
        .shell(&format!("kill -INT {pid}; touch /srv/slow/go"))
        .unwrap()
        .ok()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("code 130"), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    assert_eq!(
        stage.banger(&["--version"]).unwrap().ok().unwrap(),
        "banger 0.1.0"
    );
    assert_same(&before, &tree_but_memory(&stage.host));
    stage.check_untouched(&guest).unwrap();
    let status = stage.banger(&["system", "status"]).unwrap().ok().unwrap();
    assert!(!status.contains("interrupted"), "{status}");
}
