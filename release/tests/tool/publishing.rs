//! `banger-release publish`.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use crate::bench::{Bench, tree};

fn names(bench: &Bench, folder: &str) -> BTreeSet<String> {
    let entries = fs_err::read_dir(bench.path(folder)).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_folder_holds_what_releases_md_says_and_everyone_agrees_with_it() {
    let bench = Bench::new(&["root", "ann", "bob"]);
    bench.ok("key list make --to keys.json --add keys/ann.pub --root-key keys/root.key");
    bench.build("0.1.1", 1, &["ann", "bob"]);
    let said = bench.ok("publish --release out-0.1.1 --to public --keys keys.json");
    assert!(said.contains("public/stable"), "{said}");
    let target = banger_installer_fetch::host_target();
    let mut expected: BTreeSet<String> = [
        "SHA256SUMS",
        "keys.json",
        "keys.json.minisig",
        "manifest-0.1.1.json",
        "manifest-0.1.1.json.minisig",
        "manifest.json",
        "manifest.json.minisig",
    ]
    .map(String::from)
    .into();
    expected.insert(format!("banger-0.1.1-{target}.tar.gz"));
    expected.insert(format!("banger-0.1.1-{target}.bundle.tar.gz"));
    assert_eq!(names(&bench, "public/stable"), expected);
    assert_eq!(names(&bench, "public"), ["stable".to_owned()].into());
    bench.minisign_takes_each("public/stable/manifest.json", &["ann", "bob"]);
    bench.minisign_takes_each("public/stable/manifest-0.1.1.json", &["ann", "bob"]);
    bench.minisign_takes_each("public/stable/keys.json", &["root"]);
    assert_eq!(bench.sha256sum("public/stable"), 4);

    // the next release: the one before it stays, and so does the list
    bench.build("0.1.2", 2, &["ann"]);
    bench.publish("0.1.2");
    assert_eq!(bench.client_sees(&["ann"]).unwrap(), "0.1.2");
    assert_eq!(bench.sha256sum("public/stable"), 8);
    assert!(names(&bench, "public/stable").is_superset(&expected));
    assert_eq!(
        bench.read("public/stable/manifest.json"),
        bench.read("public/stable/manifest-0.1.2.json")
    );
}

#[test]
fn what_else_lies_in_the_folder_stays_and_what_was_taken_away_is_forgotten() {
    let bench = Bench::new(&["ann"]);
    bench.build("0.1.1", 1, &["ann"]);
    bench.publish("0.1.1");
    let folder = bench.path("public/stable");
    fs_err::write(folder.join("index.html"), "hello").unwrap();
    fs_err::create_dir(folder.join("old")).unwrap();
    fs_err::write(folder.join("old/file"), "old").unwrap();
    symlink("index.html", folder.join("link")).unwrap();
    for (name, mode) in [("", 0o711), ("old", 0o2750)] {
        let mode = std::fs::Permissions::from_mode(mode);
        fs_err::set_permissions(folder.join(name), mode).unwrap();
    }
    for name in ["manifest-0.1.1.json", "manifest-0.1.1.json.minisig"] {
        fs_err::remove_file(folder.join(name)).unwrap();
    }
    bench.build("0.1.2", 2, &["ann"]);
    bench.publish("0.1.2");
    assert_eq!(bench.read("public/stable/link"), "hello");
    assert_eq!(bench.read("public/stable/old/file"), "old");
    assert!(folder.join("link").is_symlink());
    let mode = |name: &str| fs_err::metadata(folder.join(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode(""), mode("old")), (0o711, 0o2750));
    // the archives of both, and the newer's manifest with its signature
    assert_eq!(bench.sha256sum("public/stable"), 6);
}

#[test]
fn what_may_not_follow_is_refused_and_the_folder_is_as_it_was() {
    let bench = Bench::new(&["root", "ann"]);
    bench.ok("key list make --to old.json --add keys/ann.pub --root-key keys/root.key");
    fs_err::copy(bench.path("old.json"), bench.path("keys.json")).unwrap();
    bench.ok("key rotate keys.json --root-key keys/root.key");
    bench.build("0.1.1", 5, &["ann"]);
    bench.ok("publish --release out-0.1.1 --to public --keys keys.json");
    let before = tree(&bench.path("public"));
    let refused = |words: &str, code: i32, complaint: &str| {
        let said = bench.fails(&format!("publish --to public {words}"), code);
        assert!(said.contains(complaint), "{words}: {said}");
        assert_eq!(
            tree(&bench.path("public")),
            before,
            "{words} left something"
        );
    };
    refused(
        "--release out-0.1.1 --keys old.json",
        6,
        "list of keys has the sequence",
    );

    bench.build("0.1.2", 4, &["ann"]);
    refused(
        "--release out-0.1.2",
        6,
        "sequence number 4; 5 is published",
    );
    bench.build("0.1.2", 5, &["ann"]);
    refused("--release out-0.1.2", 6, "another manifest");

    // the same version with other bytes in its archive
    bench.build("0.1.1", 6, &["ann"]);
    let units = bench.path("workspace/units/banger.slice.in");
    fs_err::write(&units, "# changed\n").unwrap();
    bench.build("0.1.1", 6, &["ann"]);
    refused("--release out-0.1.1", 14, "with other bytes");

    // releases that are not whole
    bench.build("0.1.2", 7, &["ann"]);
    let target = banger_installer_fetch::host_target();
    let archive = bench.path(&format!("out-0.1.2/banger-0.1.2-{target}.tar.gz"));
    fs_err::write(&archive, "cut").unwrap();
    refused("--release out-0.1.2", 11, "the release says");
    fs_err::remove_file(&archive).unwrap();
    refused("--release out-0.1.2", 11, "tar.gz");
    fs_err::write(bench.path("out-0.1.2/manifest.json.minisig"), "").unwrap();
    refused("--release out-0.1.2", 11, "is not signed");
    refused("--release nowhere", 11, "nowhere");

    let lock = std::fs::File::open(bench.path("public")).unwrap();
    lock.lock().unwrap();
    refused("--release out-0.1.1", 8, "somebody else publishes");
}

#[test]
fn a_release_can_be_published_twice_and_renewed() {
    let bench = Bench::new(&["ann", "bob"]);
    bench.build("0.1.1", 1, &["ann"]);
    bench.publish("0.1.1");
    let first = tree(&bench.path("public"));
    bench.publish("0.1.1");
    assert_eq!(tree(&bench.path("public")), first);
    // the same programs, a later number and another key: a manifest that is valid for longer
    bench.build("0.1.1", 2, &["bob"]);
    bench.publish("0.1.1");
    assert_eq!(bench.client_sees(&["bob"]).unwrap(), "0.1.1");
    assert_eq!(bench.sha256sum("public/stable"), 4);
}
