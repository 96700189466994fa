//! `banger-release verify`: what is good, and each thing that can be wrong with a folder.

use banger_installer_fetch::host_target;
use banger_installer_trust::model::Manifest;
use banger_release::archive::{self, File};
use banger_release::{PROGRAMS, SigningKey, UNITS, digest, sign_all};
use serde_json::Value;

use crate::bench::Bench;

/// Two releases, signed by ann.
fn published() -> Bench {
    let bench = Bench::new(&["ann", "eve"]);
    for (version, sequence) in [("0.1.1", 1), ("0.1.2", 2)] {
        bench.build(version, sequence, &["ann"]);
        bench.publish(version);
    }
    bench
}

fn archive_name(version: &str) -> String {
    format!("banger-{version}-{}.bundle.tar.gz", host_target())
}

#[test]
fn each_thing_has_its_line() {
    let bench = published();
    let said = bench.ok("verify public/stable --key keys/ann.pub");
    for words in [
        "manifest.json   banger 0.1.2, channel stable, sequence 2",
        "manifest-0.1.1.json   banger 0.1.1",
        &format!("signed by {}", bench.id("ann")),
        &archive_name("0.1.1"),
        &archive_name("0.1.2"),
        &archive_name("0.1.2").replace(".bundle", ""),
        &format!("{} files unpacked", PROGRAMS.len() + UNITS.len()),
        "SHA256SUMS   8 files agree",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // archives of either kind, of two releases
    assert_eq!(said.matches(" files unpacked").count(), 4, "{said}");
    let json = bench.ok("verify public/stable --key keys/ann.pub --json");
    let json: Value = serde_json::from_str(&json).unwrap();
    let names: Vec<_> = json["checked"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["name"])
        .collect();
    assert_eq!(names.len(), 8, "{names:?}");
    assert_eq!(names[0], "manifest.json");
}

#[test]
fn with_root_keys_the_list_says_who_signs() {
    let bench = Bench::new(&["root", "second", "ann", "bob", "eve"]);
    bench.ok(
        "key list make --to keys.json --threshold 2 --add keys/ann.pub --add keys/bob.pub \
              --root-key keys/root.key",
    );
    let verify = "verify public/stable --root keys/root.pub --root keys/second.pub";
    bench.build("0.1.1", 1, &["ann", "bob"]);
    bench.ok("publish --release out-0.1.1 --to public --keys keys.json");
    let said = bench.ok(verify);
    assert!(said.contains("2 of 2 keys must sign"), "{said}");
    let said = bench.fails(&format!("{verify} --threshold 2"), 6);
    assert!(
        said.contains("refuses keys.json") && said.contains("2 are needed"),
        "{said}"
    );
    bench.ok("key sign keys.json --root-key keys/second.key");
    bench.ok("publish --release out-0.1.1 --to public --keys keys.json");
    bench.ok(&format!("{verify} --threshold 2"));

    for (sequence, signers, complaint) in [
        (2, &["ann"][..], "2 are needed"),
        (3, &["ann", "eve"], "2 are needed"),
        (4, &["root"], "may sign lists of keys only"),
    ] {
        bench.build("0.1.1", sequence, signers);
        bench.publish("0.1.1");
        let said = bench.fails(verify, 6);
        assert!(said.contains(complaint), "{signers:?}: {said}");
    }
    fs_err::remove_file(bench.path("public/stable/keys.json")).unwrap();
    assert!(bench.fails(verify, 11).contains("keys.json"));
}

#[test]
fn a_rotation_leaves_an_older_release_to_be_signed_anew_or_taken_away() {
    let bench = Bench::new(&["root", "old", "new"]);
    let verify = "verify public/stable --root keys/root.pub";
    bench.ok("key list make --to keys.json --add keys/old.pub --root-key keys/root.key");
    bench.build("0.1.1", 1, &["old"]);
    bench.ok("publish --release out-0.1.1 --to public --keys keys.json");
    let old = bench.id("old");
    bench.ok(&format!(
        "key rotate keys.json --add keys/new.pub --retire {old} --root-key keys/root.key"
    ));
    bench.build("0.1.2", 2, &["old"]);
    bench.ok("publish --release out-0.1.2 --to public --keys keys.json");
    assert!(bench.fails(verify, 6).contains("refuses manifest.json"));
    // for clients of both lists: both signatures
    bench.build("0.1.2", 3, &["old", "new"]);
    bench.publish("0.1.2");
    let said = bench.fails(verify, 6);
    assert!(said.contains("refuses manifest-0.1.1.json"), "{said}");
    assert!(said.contains("publish again"), "{said}");
    for name in ["manifest-0.1.1.json", "manifest-0.1.1.json.minisig"] {
        remove(&bench, name);
    }
    bench.publish("0.1.2");
    bench.ok(verify);
}

/// What is done to the folder, the exit code, and what is said of it.
type Spoil = (&'static str, fn(&Bench), i32, &'static str);

fn rewrite(bench: &Bench, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = bench.path("public/stable").join(name);
    let mut bytes = fs_err::read(&path).unwrap();
    change(&mut bytes);
    fs_err::write(path, bytes).unwrap();
}

fn remove(bench: &Bench, name: &str) {
    fs_err::remove_file(bench.path("public/stable").join(name)).unwrap();
}

const SPOILS: &[Spoil] = &[
    (
        "a byte of the manifest",
        |bench| rewrite(bench, "manifest.json", |bytes| bytes[40] ^= 1),
        6,
        "refuses manifest.json",
    ),
    (
        "no manifest",
        |bench| remove(bench, "manifest.json"),
        11,
        "manifest.json",
    ),
    (
        "no signature",
        |bench| remove(bench, "manifest.json.minisig"),
        6,
        "manifest.json.minisig",
    ),
    (
        "an empty signature",
        |bench| rewrite(bench, "manifest.json.minisig", Vec::clear),
        6,
        "no minisign signature",
    ),
    (
        "another release's signature",
        |bench| {
            let other = bench.read("public/stable/manifest-0.1.1.json.minisig");
            rewrite(bench, "manifest.json.minisig", |bytes| {
                *bytes = other.into();
            });
        },
        6,
        "does not match",
    ),
    (
        "an older manifest in the place of the newest",
        |bench| {
            for suffix in ["", ".minisig"] {
                let older = bench.read(&format!("public/stable/manifest-0.1.1.json{suffix}"));
                let name = format!("manifest-0.1.2.json{suffix}");
                rewrite(bench, &name, |bytes| *bytes = older.into());
            }
        },
        6,
        "manifest.json and manifest-0.1.2.json differ",
    ),
    (
        "a release under another's name",
        |bench| {
            for suffix in ["", ".minisig"] {
                let newer = bench.read(&format!("public/stable/manifest-0.1.2.json{suffix}"));
                let name = format!("manifest-0.1.1.json{suffix}");
                rewrite(bench, &name, |bytes| *bytes = newer.into());
            }
        },
        6,
        "refuses manifest-0.1.1.json",
    ),
    (
        "a byte of an archive",
        |bench| rewrite(bench, &archive_name("0.1.2"), |bytes| bytes[100] ^= 1),
        6,
        "sha256",
    ),
    (
        "an old archive cut short",
        |bench| rewrite(bench, &archive_name("0.1.1"), |bytes| bytes.truncate(100)),
        6,
        "0.1.1",
    ),
    (
        "an archive missing",
        |bench| remove(bench, &archive_name("0.1.2")),
        7,
        "0.1.2",
    ),
    (
        "no sums",
        |bench| remove(bench, "SHA256SUMS"),
        11,
        "SHA256SUMS",
    ),
    (
        "a file that is not summed",
        |bench| {
            rewrite(bench, "SHA256SUMS", |bytes| {
                let text = String::from_utf8(bytes.clone()).unwrap();
                let rest = text
                    .lines()
                    .filter(|line| !line.ends_with("manifest-0.1.1.json"));
                *bytes = rest
                    .map(|line| line.to_owned() + "\n")
                    .collect::<String>()
                    .into();
            });
        },
        6,
        "does not name manifest-0.1.1.json",
    ),
    (
        "a wrong sum",
        |bench| rewrite(bench, "manifest-0.1.1.json.minisig", |bytes| bytes[20] ^= 1),
        6,
        "manifest-0.1.1.json.minisig is not what SHA256SUMS says",
    ),
    (
        "a line that is no sum",
        |bench| rewrite(bench, "SHA256SUMS", |bytes| bytes.extend(b"nonsense\n")),
        6,
        "nonsense",
    ),
];

#[test]
fn whatever_is_wrong_is_named() {
    let bench = published();
    let template = bench.path("template");
    fs_err::rename(bench.path("public"), &template).unwrap();
    for (what, spoil, code, complaint) in SPOILS {
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .args([&template, &bench.path("public")])
            .status();
        assert!(copied.unwrap().success());
        bench.ok("verify public/stable --key keys/ann.pub");
        spoil(&bench);
        let said = bench.fails("verify public/stable --key keys/ann.pub", *code);
        assert!(said.contains(complaint), "{what}: {said}");
        fs_err::remove_dir_all(bench.path("public")).unwrap();
    }
}

#[test]
fn a_stranger_an_expired_release_and_a_missing_key_are_named() {
    let bench = published();
    let said = bench.fails("verify public/stable --key keys/eve.pub", 6);
    assert!(
        said.contains("not trusted") && said.contains(&bench.id("ann")),
        "{said}"
    );
    bench.fails_at_parsing("verify public/stable");
    let said = bench.fails("verify public/stable --key keys/ann.key", 11);
    assert!(said.contains("not a minisign public key"), "{said}");

    bench.programs("0.1.2");
    let mut command = bench.command(
        "build --version 0.1.2 --channel stable --no-sbom --sequence 3 --binaries bin \
         --workspace workspace --key keys/ann.key --out out-0.1.2",
    );
    crate::bench::succeeds(command.env("SOURCE_DATE_EPOCH", "1000000000"));
    bench.publish_anew("0.1.2");
    let said = bench.fails("verify public/stable --key keys/ann.pub", 6);
    assert!(said.contains("expired at 2001-12-08"), "{said}");
}

/// Signs a release anew with other bytes in the place of one of its archives, and publishes it.
fn publish_instead(bench: &Bench, index: usize, bytes: &[u8]) {
    let key = SigningKey::load(&bench.path("keys/ann.key"), None).unwrap();
    let mut manifest =
        Manifest::from_json(bench.read("out-0.1.2/manifest.json").as_bytes()).unwrap();
    manifest.sequence += 1;
    let artefact = &mut manifest.artefacts[index];
    artefact.size = bytes.len() as u64;
    artefact.digest = digest(bytes);
    let name = artefact.name.clone();
    let text = manifest.to_json().unwrap();
    let signature = sign_all(&[key], &text, "a test").unwrap();
    fs_err::write(bench.path("out-0.1.2").join(name), bytes).unwrap();
    fs_err::write(bench.path("out-0.1.2/manifest.json"), text).unwrap();
    fs_err::write(bench.path("out-0.1.2/manifest.json.minisig"), signature).unwrap();
    fs_err::write(bench.path("out-0.1.2/SHA256SUMS"), "").unwrap();
    bench.publish_anew("0.1.2");
}

#[test]
fn a_signed_archive_of_either_kind_that_is_no_release_is_named() {
    for index in [0, 1] {
        let bench = published();
        let file = File {
            path: "bin/other".into(),
            mode: 0o755,
            content: b"other".to_vec(),
        };
        publish_instead(&bench, index, &archive::write(vec![file], 0).unwrap());
        let said = bench.fails("verify public/stable --key keys/ann.pub", 6);
        assert!(
            said.contains("cannot unpack") && said.contains("bin/other"),
            "{said}"
        );
    }
}

#[test]
fn an_archive_of_one_kind_in_the_place_of_the_other_is_named() {
    let bench = published();
    let bundle = bench.path("out-0.1.2").join(archive_name("0.1.2"));
    let without = bundle.to_string_lossy().replace(".bundle", "");
    let (bundle, without) = (
        fs_err::read(bundle).unwrap(),
        fs_err::read(without).unwrap(),
    );
    publish_instead(&bench, 0, &without);
    let said = bench.fails("verify public/stable --key keys/ann.pub", 6);
    assert!(said.contains("no list of what belongs in it"), "{said}");

    let bench = published();
    publish_instead(&bench, 1, &bundle);
    let said = bench.fails("verify public/stable --key keys/ann.pub", 6);
    assert!(
        said.contains("cannot unpack") && said.contains("release.json"),
        "{said}"
    );
}
