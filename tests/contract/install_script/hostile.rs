//! Releases and servers that the script must not believe.

use banger_release::archive;
use banger_tests::release_server::Mischief;
use serde_json::json;

use super::bench::{BUSYBOX, Bench, DEBIAN, Machine, archive_name, good_files, target};
use super::{serve, taken};

/// By one shell from a server, and by the other from the folder.
fn refused_everywhere(bench: &Bench, code: i32, what: &str) {
    let server = serve(&bench.public(), None);
    let folder = bench.public();
    for (machine, from) in [
        (DEBIAN, server.url.as_str()),
        (BUSYBOX, folder.to_str().unwrap()),
    ] {
        bench.refused(machine, &["--from", from, "--unpack", "out"], code, what);
    }
}

#[test]
fn what_the_pinned_key_did_not_sign_is_refused() {
    let bench = Bench::new();
    let signature = bench.public().join("manifest.json.minisig");
    let good = fs_err::read_to_string(&signature).unwrap();
    fs_err::remove_file(&signature).unwrap();
    refused_everywhere(&bench, 6, "not signed: it has no manifest.json.minisig");
    for text in ["", "no signature\n", &good.replace("comment", "kommentar")] {
        fs_err::write(&signature, text).unwrap();
        refused_everywhere(&bench, 6, "not signed by the key that is pinned");
    }
    bench.sign("banger", &["-l"]);
    refused_everywhere(&bench, 6, "legacy format");
    bench.make_key("stranger");
    bench.sign("stranger", &[]);
    refused_everywhere(&bench, 6, "not signed by the key that is pinned");
    fs_err::write(&signature, "x".repeat(17 * 1024)).unwrap();
    refused_everywhere(&bench, 6, "longer than");

    // changed after it was signed
    bench.publish(&bench.manifest());
    let manifest = bench.public().join("manifest.json");
    let changed = fs_err::read_to_string(&manifest).unwrap();
    fs_err::write(
        &manifest,
        changed.replace("\"sequence\":7", "\"sequence\":8"),
    )
    .unwrap();
    refused_everywhere(&bench, 6, "not signed by the key that is pinned");

    // a stranger's signature beside the good one hurts nobody
    bench.publish(&bench.manifest());
    let good = fs_err::read_to_string(&signature).unwrap();
    bench.sign("stranger", &[]);
    let both = fs_err::read_to_string(&signature).unwrap() + &good;
    fs_err::write(&signature, both).unwrap();
    for machine in [DEBIAN, BUSYBOX] {
        taken(&bench, machine, bench.public().to_str().unwrap());
    }
}

#[test]
fn a_signed_manifest_that_is_not_for_here_is_refused() {
    let bench = Bench::new();
    let good = bench.manifest();
    let version =
        |version: &str| json!({"version": version, "assets": good["releases"][0]["assets"]});
    let cases = [
        ("/schema", json!(2), "schema 2"),
        ("/product", json!("bangle"), "is of bangle, not of banger"),
        ("/channel", json!("beta"), "for channel beta"),
        (
            "/expires",
            json!("2026-01-01T00:00:00Z"),
            "expired at 2026-01-01",
        ),
        (
            "/expires",
            json!("2126-01-01T00:00:00+02:00"),
            "cannot be told",
        ),
        ("/expires", json!(null), "cannot be told"),
        ("/releases/0", version("0.1.0"), "release 0.1.0 is older"),
        (
            "/releases/0",
            version("0.1.1-rc.1"),
            "release 0.1.1-rc.1 is older",
        ),
        ("/releases/0", version("0.1.10"), "is called"),
        ("/releases/0", version("1; rm x"), "version is none"),
        (
            "/releases/0/assets/2/target",
            json!("other"),
            "no single archive",
        ),
        (
            "/releases/0/assets/2/kind",
            json!("package"),
            "no single archive",
        ),
        (
            "/releases/0/assets/1/target",
            json!(target()),
            "no single archive",
        ),
        ("/releases/0/assets/2/name", json!("../x"), "is called ../x"),
        ("/releases/0/assets/2/size", json!(u64::MAX), "size is"),
        (
            "/releases/0/assets/2/size",
            json!(1),
            "longer than the 1 bytes",
        ),
        (
            "/releases/0/assets/2/size",
            json!(100_000),
            "does not have the 100000 bytes",
        ),
        (
            "/releases/0/assets/2/digest",
            json!("sha256:00"),
            "digest is",
        ),
        ("/releases/0/assets/2/digest", json!("md5:00"), "digest is"),
        (
            "/releases/0/assets/2/digest",
            json!(format!("sha256:{}", "1".repeat(64))),
            "and should have 1111",
        ),
    ];
    for (place, value, what) in cases {
        let mut spoilt = good.clone();
        *spoilt.pointer_mut(place).unwrap() = value;
        bench.publish(&spoilt);
        refused_everywhere(&bench, 6, what);
    }
    let text = good.to_string();
    for spoilt in [
        "{",
        "[]",
        &text.replacen('{', "{\"product\":\"banger\",", 1),
        &text.replacen("\"product\"", "\"producer\"", 1),
    ] {
        bench.publish_text(spoilt);
        refused_everywhere(&bench, 6, "the release's manifest");
    }
    // where it is to be fetched from counts for a server alone
    let server = serve(&bench.public(), None);
    for (url, code, what) in [
        ("../x", 6, "address is ../x"),
        ("/etc/passwd", 6, "address is"),
        ("http://192.0.2.1/x", 2, "not an address"),
        ("missing", 7, "there is no banger-"),
    ] {
        let mut spoilt = good.clone();
        spoilt["releases"][0]["assets"][2]["url"] = url.into();
        bench.publish(&spoilt);
        bench.refused(
            DEBIAN,
            &["--from", &server.url, "--unpack", "out"],
            code,
            what,
        );
    }
}

#[test]
fn a_later_version_is_taken_by_its_signature() {
    let bench = Bench::new();
    let mut pins = bench.pins();
    for (pinned, holds) in [
        ("0.0.9", true),
        ("0.1.1-rc.2", true),
        ("0.1.1+build", true),
        ("0.1.2-rc.1", false),
        ("0.10.0", false),
    ] {
        pins.insert("version", pinned.into());
        bench.fill(&pins);
        let folder = bench.public();
        if holds {
            taken(&bench, DEBIAN, folder.to_str().unwrap());
            taken(&bench, BUSYBOX, folder.to_str().unwrap());
        } else {
            refused_everywhere(&bench, 6, "is older than this script");
        }
    }
}

#[test]
fn another_archive_is_refused_by_signature_and_by_sum() {
    let bench = Bench::new();
    let mut bytes = fs_err::read(bench.archive()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(bench.archive(), bytes).unwrap();
    refused_everywhere(&bench, 6, "has sha256");
    let folder = bench.public();
    let from = ["--from", folder.to_str().unwrap(), "--unpack", "out"];
    for machine in [DEBIAN, BUSYBOX] {
        let without = Machine {
            minisign: false,
            ..machine
        };
        bench.refused(without, &from, 6, "has sha256");
    }
    fs_err::remove_file(bench.archive()).unwrap();
    refused_everywhere(&bench, 7, "there is no banger-");
}

#[test]
fn a_signed_archive_that_is_no_release_is_refused() {
    let bench = Bench::new();
    for path in ["etc/passwd", "bin/Banger", "bin/x/y"] {
        let mut files = good_files();
        files[2].path = path.into();
        fs_err::write(bench.archive(), archive::write(files, 0).unwrap()).unwrap();
        bench.publish(&bench.manifest());
        refused_everywhere(&bench, 6, "does not belong in a release");
    }
    fs_err::write(bench.archive(), "no archive").unwrap();
    bench.publish(&bench.manifest());
    refused_everywhere(&bench, 6, "cannot be unpacked");
}

#[test]
fn a_server_that_lies_or_is_not_there() {
    let bench = Bench::new();
    let archive = archive_name();
    let cases = [
        ("manifest.json", Mischief::Endless, 6, "longer than"),
        (archive.as_str(), Mischief::Endless, 6, "longer than"),
        (archive.as_str(), Mischief::Truncated, 7, "cannot fetch"),
        (archive.as_str(), Mischief::OtherBytes, 6, "has sha256"),
        (archive.as_str(), Mischief::ShortByOne, 6, "does not have"),
        (
            "manifest.json",
            Mischief::Status("404 Not Found"),
            7,
            "there is no manifest.json",
        ),
        (
            "minisig",
            Mischief::Status("404 Not Found"),
            6,
            "not signed",
        ),
    ];
    for (name, mischief, code, what) in cases {
        let server = serve(&bench.public(), Some((name, mischief)));
        for machine in [DEBIAN, BUSYBOX] {
            bench.refused(
                machine,
                &["--from", &server.url, "--unpack", "out"],
                code,
                what,
            );
        }
    }
    let gone = serve(&bench.public(), None).url.clone();
    for machine in [DEBIAN, BUSYBOX] {
        for from in [&gone, &gone.replace("127.0.0.1", "[::1]")] {
            let words = ["--from", from, "--unpack", "out"];
            bench.refused(machine, &words, 7, "cannot fetch");
        }
    }
}
