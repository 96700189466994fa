//! `banger-release withdraw`.

use banger_installer_fetch::host_target;
use banger_installer_trust::model::Manifest;
use serde_json::Value;

use crate::bench::{Bench, tree};

/// Releases of these versions, signed by ann, with the sequence numbers 1, 2 and so on.
fn published(versions: &[&str]) -> Bench {
    let bench = Bench::new(&["root", "ann", "bob", "eve"]);
    for (version, sequence) in versions.iter().zip(1..) {
        bench.build(version, sequence, &["ann"]);
        bench.publish(version);
    }
    bench
}

const WITHDRAW: &str = "withdraw --from public --channel stable --key keys/ann.key";

#[test]
fn the_release_before_comes_back_under_a_higher_number() {
    let bench = published(&["0.1.1", "0.1.2"]);
    let before = tree(&bench.path("public/stable"));
    let said = bench.ok(WITHDRAW);
    for words in ["0.1.2   withdrawn", "0.1.1   sequence", "public/stable"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let bytes = bench.read("public/stable/manifest.json");
    let manifest = Manifest::from_json(bytes.as_bytes()).unwrap();
    assert_eq!(manifest.version.to_string(), "0.1.1");
    assert!(manifest.sequence > 2, "{}", manifest.sequence);
    // everybody who checks a folder agrees with it
    assert_eq!(bench.client_sees(&["ann"]).unwrap(), "0.1.1");
    bench.minisign_takes_each("public/stable/manifest.json", &["ann"]);
    // 0.1.1 whole, and the archive of 0.1.2
    assert_eq!(bench.sha256sum("public/stable"), 6);
    let after = tree(&bench.path("public/stable"));
    let gone: Vec<_> = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .collect();
    assert_eq!(
        gone,
        ["manifest-0.1.2.json", "manifest-0.1.2.json.minisig"].map(std::path::Path::new)
    );
    for version in ["0.1.1", "0.1.2"] {
        let archive = format!("banger-{version}-{}.tar.gz", host_target());
        let archive = std::path::Path::new(&archive);
        assert_eq!(after[archive], before[archive], "{version}");
    }
}

#[test]
fn the_version_that_comes_back_can_be_named_and_the_number_too() {
    let bench = published(&["0.1.0", "0.1.1", "0.1.2"]);
    bench.ok(&format!(
        "{WITHDRAW} --instead 0.1.0 --sequence 7 --expires-days 3"
    ));
    let bytes = bench.read("public/stable/manifest.json");
    let manifest = Manifest::from_json(bytes.as_bytes()).unwrap();
    assert_eq!(manifest.version.to_string(), "0.1.0");
    assert_eq!(manifest.sequence, 7);
    let days = manifest
        .expires
        .duration_since(manifest.released)
        .as_hours();
    assert_eq!(days, 3 * 24);
    assert_eq!(bench.client_sees(&["ann"]).unwrap(), "0.1.0");
    // what lies between them is offered still, by its name
    assert!(bench.path("public/stable/manifest-0.1.1.json").exists());
}

#[test]
fn a_withdrawn_release_can_be_published_again_and_its_name_means_the_same_bytes() {
    let bench = published(&["0.1.1", "0.1.2"]);
    bench.ok(&format!("{WITHDRAW} --sequence 3"));
    let said = bench.fails("publish --release out-0.1.2 --to public", 6);
    assert!(said.contains("sequence number 2; 3 is published"), "{said}");
    bench.build("0.1.2", 4, &["ann"]);
    bench.publish("0.1.2");
    assert_eq!(bench.client_sees(&["ann"]).unwrap(), "0.1.2");
    bench.ok(&format!("{WITHDRAW} --sequence 5"));
    fs_err::write(bench.path("workspace/units/banger.slice.in"), "# other\n").unwrap();
    bench.build("0.1.2", 6, &["ann"]);
    let said = bench.fails("publish --release out-0.1.2 --to public", 14);
    assert!(said.contains("with other bytes"), "{said}");
}

#[test]
fn only_what_its_publisher_signed_is_signed_again() {
    let bench = published(&["0.1.1", "0.1.2"]);
    // somebody who can write to the folder offers a release of their own
    bench.build("0.1.1", 1, &["eve"]);
    for name in ["manifest.json", "manifest.json.minisig"] {
        let to = name.replace("manifest", "manifest-0.1.1");
        fs_err::copy(
            bench.path(&format!("out-0.1.1/{name}")),
            bench.path(&format!("public/stable/{to}")),
        )
        .unwrap();
    }
    let before = tree(&bench.path("public"));
    let said = bench.fails(WITHDRAW, 6);
    assert!(said.contains("manifest-0.1.1.json is not signed"), "{said}");
    assert!(said.contains(&bench.id("eve")), "{said}");
    assert_eq!(tree(&bench.path("public")), before);
    // a key that signed then, and does not now, is named
    let bench = published(&["0.1.1", "0.1.2"]);
    let by_bob = WITHDRAW.replace("ann.key", "bob.key");
    bench.fails(&by_bob, 6);
    bench.ok(&format!("{by_bob} --signed-by keys/ann.pub"));
    assert_eq!(bench.client_sees(&["bob"]).unwrap(), "0.1.1");
}

#[test]
fn what_cannot_come_back_is_refused_and_the_folder_is_as_it_was() {
    let bench = published(&["0.1.1", "0.1.2"]);
    let refused = |words: &str, code: i32, complaint: &str| {
        let before = tree(&bench.path("public"));
        let said = bench.fails(words, code);
        assert!(said.contains(complaint), "{words}: {said}");
        assert!(said.contains("hint:"), "{said}");
        assert_eq!(
            tree(&bench.path("public")),
            before,
            "{words} left something"
        );
    };
    refused(
        &WITHDRAW.replace("stable", "beta"),
        11,
        "no release is published",
    );
    refused(
        &format!("{WITHDRAW} --instead 0.1.0"),
        11,
        "no manifest-0.1.0.json",
    );
    refused(
        &format!("{WITHDRAW} --instead 0.1.2"),
        11,
        "would be withdrawn",
    );
    refused(
        &format!("{WITHDRAW} --sequence 2"),
        6,
        "sequence number 2; 2 is published",
    );
    let archive = format!("public/stable/banger-0.1.1-{}.tar.gz", host_target());
    let good = fs_err::read(bench.path(&archive)).unwrap();
    fs_err::write(bench.path(&archive), "other").unwrap();
    refused(WITHDRAW, 11, "the release says");
    fs_err::write(bench.path(&archive), good).unwrap();
    let lock = std::fs::File::open(bench.path("public")).unwrap();
    lock.lock().unwrap();
    refused(WITHDRAW, 8, "somebody else publishes");
    drop(lock);
    bench.ok(WITHDRAW);
    refused(WITHDRAW, 11, "no release before 0.1.1");
}

#[test]
fn the_list_of_keys_stays() {
    let bench = Bench::new(&["root", "ann"]);
    bench.ok("key list make --to keys.json --add keys/ann.pub --root-key keys/root.key");
    bench.build("0.1.1", 1, &["ann"]);
    bench.ok("publish --release out-0.1.1 --to public --keys keys.json");
    bench.build("0.1.2", 2, &["ann"]);
    bench.publish("0.1.2");
    bench.ok(WITHDRAW);
    let json = bench.ok("verify public/stable --root keys/root.pub --json");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["checked"][0]["name"], "keys.json");
    let newest = json["checked"][1]["fact"].as_str().unwrap();
    assert!(newest.starts_with("banger 0.1.1,"), "{newest}");
}
