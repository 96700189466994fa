//! `packaging/install.sh`: what it takes, what it refuses, and that it leaves nothing.

mod bench;

use std::path::Path;

use banger_release::archive;
use banger_tests::release_server::{Mischief, Ranges, ReleaseServer, ServerOptions};
use banger_tests::support::command;
use banger_tests::support::releases::Releases;
use banger_tests::support::{Host, place};
use serde_json::json;

use self::bench::{
    BUSYBOX, Bench, DEBIAN, Machine, Shell, VERSION, archive_name, good_files, target, template,
};

const UNPACK: [&str; 2] = ["--unpack", "out"];

/// Plain http on loopback, which needs no authority.
fn serve(folder: &Path, mischief: Option<(&str, Mischief)>) -> ReleaseServer {
    serve_with(folder, mischief, false)
}

fn serve_with(folder: &Path, mischief: Option<(&str, Mischief)>, tls: bool) -> ReleaseServer {
    let options = ServerOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        names: Vec::new(),
        tls,
        mischief: mischief.map(|(name, mischief)| (name.to_owned(), mischief)),
        ranges: Ranges::Honoured,
    };
    ReleaseServer::start_with(folder, options).unwrap()
}

/// Runs the script on a machine; it must unpack exactly the release, and leave nothing else.
fn taken(bench: &Bench, machine: Machine, from: &str) {
    let mut before = bench.tree();
    let output = bench.run(machine, &["--from", from, "--unpack", "out"]);
    assert_eq!(
        output.code,
        Some(0),
        "{machine:?} {from}: {}",
        output.text()
    );
    let way = if machine.minisign { "signature" } else { "sum" };
    let verified = format!("verified: banger {VERSION}, by its {way}");
    assert!(output.stderr.contains(&verified), "{}", output.text());
    for folder in ["out", "out/bin", "out/units"] {
        before.insert(bench.path("work").join(folder), Vec::new());
    }
    for file in good_files() {
        before.insert(bench.path("work/out").join(file.path), file.content);
    }
    assert!(bench.tree() == before, "{machine:?} {from}: another tree");
    fs_err::remove_dir_all(bench.path("work/out")).unwrap();
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let script = place::workspace().join("packaging/install.sh");
    let mut command = std::process::Command::new("shellcheck");
    let output = command::run(command.args(["--shell=sh", "--severity=style"]).arg(script));
    assert_eq!(output.unwrap().ok().unwrap(), "");
}

#[test]
fn a_good_release_is_taken_by_either_shell_client_and_way_of_verifying() {
    let bench = Bench::new();
    let server = serve(&bench.public(), None);
    let folder = bench.public();
    for shell in [Shell::Dash, Shell::Busybox] {
        for client in ["curl", "wget"] {
            for minisign in [true, false] {
                let machine = Machine {
                    shell,
                    client: Some(client),
                    minisign,
                };
                taken(&bench, machine, &server.url);
                taken(&bench, machine, &format!("{}/manifest.json", server.url));
                taken(&bench, machine, folder.to_str().unwrap());
            }
        }
    }
    // a folder needs neither
    let alone = Machine {
        client: None,
        ..BUSYBOX
    };
    taken(&bench, alone, folder.to_str().unwrap());
}

#[test]
fn over_tls_with_a_known_authority_alone() {
    let mut bench = Bench::new();
    let server = serve_with(&bench.public(), None, true);
    let from = ["--from", server.url.as_str(), "--unpack", "out"];
    bench.refused(DEBIAN, &from, 7, "cannot fetch https://127.0.0.1");
    let wget = Machine {
        client: Some("wget"),
        ..DEBIAN
    };
    bench.refused(wget, &from, 7, "cannot fetch https://127.0.0.1");
    fs_err::write(bench.path("authority.pem"), &server.ca_pem).unwrap();
    bench.authority = Some(bench.path("authority.pem"));
    taken(&bench, DEBIAN, &server.url);

    // and it never leads to a place without TLS
    let plain = serve(&bench.public(), None);
    let lie = ("manifest.json", Mischief::RedirectTo(plain.url.clone()));
    let server = serve_with(&bench.public(), Some(lie), true);
    fs_err::write(bench.path("authority.pem"), &server.ca_pem).unwrap();
    let from = ["--from", server.url.as_str(), "--unpack", "out"];
    bench.refused(DEBIAN, &from, 6, "without TLS");
    assert_eq!(plain.requests(), 0);
}

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

#[test]
fn nothing_is_pinned_nothing_is_taken() {
    let bench = Bench::new();
    let folder = bench.public();
    let from = ["--from", folder.to_str().unwrap(), "--unpack", "out"];
    let without_minisign = Machine {
        minisign: false,
        ..DEBIAN
    };
    let run = |missing: &[&str], machine: Machine, words: &[&str], code, what: &str| {
        let mut pins = bench.pins();
        pins.retain(|name, _| !missing.contains(name));
        bench.fill(&pins);
        bench.refused(machine, words, code, what);
    };
    let sums = ["sha256_x86_64", "sha256_aarch64"];
    let all = ["release_url", "public_key", "version", sums[0], sums[1]];
    for machine in [DEBIAN, BUSYBOX, without_minisign] {
        run(&all, machine, &from, 6, "no version is pinned");
        run(&["version"], machine, &from, 6, "no version is pinned");
        run(
            &["public_key", sums[0], sums[1]],
            machine,
            &from,
            6,
            "neither a public key nor",
        );
        run(&["release_url"], machine, &UNPACK, 7, "no release source");
    }
    run(
        &sums,
        without_minisign,
        &from,
        5,
        "minisign is not installed",
    );
    let mut pins = bench.pins();
    for sum in ["", "0123", &"g".repeat(64)] {
        pins.extend(sums.map(|name| (name, sum.to_owned())));
        bench.fill(&pins);
        let before = bench.tree();
        let output = bench.run(without_minisign, &from);
        assert!(matches!(output.code, Some(5 | 6)), "{}", output.text());
        assert!(bench.tree() == before);
    }
    for name in all {
        assert_eq!(
            template().matches(&format!("@{name}@")).count(),
            1,
            "{name}"
        );
    }
}

#[test]
fn addresses_that_are_not_safe_and_words_that_mean_nothing() {
    let bench = Bench::new();
    for from in [
        "http://releases.example.org/banger",
        "http://127.0.0.1.example.org/",
        "http://127.0.0.1@example.org/",
        "https://user:word@example.org/",
        "https://example.org/?a",
        "https://example.org/#a",
        "https:///banger",
        "ftp://example.org/",
        "file:///etc",
        "https://example.org/a b",
    ] {
        for machine in [DEBIAN, BUSYBOX] {
            bench.refused(
                machine,
                &["--from", from, "--unpack", "out"],
                2,
                "not an address",
            );
        }
    }
    bench.refused(
        DEBIAN,
        &["--from", "/nonexistent", "--unpack", "out"],
        2,
        "no folder",
    );
    bench.refused(DEBIAN, &["--unpack"], 2, "needs a value");
    bench.refused(DEBIAN, &["--unpack", "."], 2, "exists");
    bench.refused(
        DEBIAN,
        &["--unpack", "out", "--owner", "alice"],
        2,
        "--owner means nothing",
    );
    let no_client = Machine {
        client: None,
        ..DEBIAN
    };
    bench.refused(no_client, &UNPACK, 5, "neither curl nor GNU wget");
    let help = bench.run(BUSYBOX, &["--help"]).ok().unwrap();
    assert!(
        help.contains("--unpack DIR") && help.contains("Exit codes"),
        "{help}"
    );
}

#[test]
fn a_script_that_was_cut_does_nothing() {
    let bench = Bench::new();
    let folder = bench.public();
    let words = ["--from", folder.to_str().unwrap(), "--unpack", "out"];
    let whole = fs_err::read(bench.path("install.sh")).unwrap();
    let cut = bench.path("cut.sh");
    fs_err::write(&cut, "").unwrap();
    let last = whole.len() - 2;
    let lines = (0..last).filter(|end| whole[*end] == b'\n');
    let ends: Vec<usize> = lines.chain(last - 20..=last).collect();
    assert_eq!(&whole[last..], b"}\n");
    for (index, end) in ends.iter().enumerate() {
        let machine = if index % 2 == 0 { DEBIAN } else { BUSYBOX };
        fs_err::write(&cut, &whole[..*end]).unwrap();
        let before = bench.tree();
        let output = bench.run_script(machine, &cut, &words);
        assert!(bench.tree() == before, "cut at {end}: {}", output.text());
        // nor did it come so far as to refuse anything
        assert!(
            !output.text().contains("hint:"),
            "cut at {end}: {}",
            output.text()
        );
    }
    println!("{} cuts did nothing", ends.len());
}

#[test]
fn a_host_is_installed_from_a_folder_to_the_end() {
    let releases = Releases::new().unwrap();
    let release = releases.sound(VERSION).unwrap();
    let host = Host::new().user("alice").build().unwrap();
    let bench = Bench::new();
    let mut pins = bench.pins();
    let artefact = release.manifest.release_for(&target()).unwrap();
    for name in ["sha256_x86_64", "sha256_aarch64"] {
        pins.insert(name, artefact.digest.hex());
    }
    bench.fill(&pins);
    host.copy(&bench.path("install.sh"), "/root/install.sh")
        .unwrap();
    host.copy(&release.archive, format!("/root/public/{}", artefact.name))
        .unwrap();
    let script = [
        "sh",
        "/root/install.sh",
        "--from",
        "/root/public",
        "--owner",
        "alice",
    ];

    host.copy(&bench.path("install.sh"), "/home/alice/install.sh")
        .unwrap();
    let not_root = host
        .run_as(
            "alice",
            ["sh", "/home/alice/install.sh", "--owner", "alice"],
        )
        .unwrap();
    assert_eq!(not_root.code, Some(3), "{}", not_root.text());
    let hint = "sudo sh install.sh --owner alice";
    assert!(not_root.stderr.contains(hint), "{}", not_root.text());

    let output = host.run(script).unwrap();
    assert!(output.success(), "{}", output.text());
    assert!(output.stderr.contains("by its sum"), "{}", output.text());
    let said = host
        .run(["/usr/local/bin/banger", "--version"])
        .unwrap()
        .ok()
        .unwrap();
    assert_eq!(said, format!("banger {VERSION}"));
    let left = host.run(["ls", "-A", "/tmp"]).unwrap().ok().unwrap();
    assert!(!left.contains("tmp."), "{left}");
    // words that are wrong are banger's to refuse
    let script = [&script[..], &["--sauce"]].concat();
    assert_eq!(host.run(script).unwrap().code, Some(2));
}
