//! `packaging/install.sh`: what it takes, what it refuses, and that it leaves nothing.

mod bench;
mod hostile;

use std::path::Path;

use banger_installer::model::ArtefactKind;
use banger_tests::release_server::{Mischief, Ranges, ReleaseServer, ServerOptions};
use banger_tests::support::command;
use banger_tests::support::releases::Releases;
use banger_tests::support::{Host, place};

use self::bench::{
    BUSYBOX, BUSYBOX_WGET, Bench, DEBIAN, Machine, Shell, VERSION, good_bundle, good_files, target,
    template,
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
    output.exited(0).unwrap();
    let way = if machine.minisign { "signature" } else { "sum" };
    let verified = format!("verified: banger {VERSION}, by its {way}");
    assert!(output.stderr.contains(&verified), "{}", output.text());
    // it reads no list of keys, and says so where that matters
    let told = output
        .stderr
        .contains("the list of signing keys was not read");
    assert_eq!(told, machine.minisign, "{}", output.text());
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
fn an_archive_with_a_list_is_taken_before_the_one_without() {
    let bench = Bench::new();
    bench.add_bundle(good_bundle());
    let server = serve(&bench.public(), None);
    let folder = bench.public();
    for machine in [DEBIAN, BUSYBOX] {
        for minisign in [true, false] {
            let machine = Machine {
                minisign,
                ..machine
            };
            for from in [&server.url, folder.to_str().unwrap()] {
                let output = bench.run(machine, &["--from", from, "--unpack", "out"]);
                output.exited(0).unwrap();
                for file in good_bundle() {
                    let path = bench.path("work/out").join(&file.path);
                    assert!(fs_err::read(path).unwrap() == file.content, "{}", file.path);
                }
                fs_err::remove_dir_all(bench.path("work/out")).unwrap();
            }
        }
    }
    // and what does not belong in it is refused
    for path in [
        "share/.hidden",
        "share/a/.b",
        "etc/x",
        "bin/.x",
        "bin/a/b",
        "share",
    ] {
        let mut files = good_bundle();
        files[0].path = path.into();
        bench.add_bundle(files);
        let words = ["--from", folder.to_str().unwrap(), "--unpack", "out"];
        bench.refused(DEBIAN, &words, 6, "does not belong in a release");
    }
    let without_list = good_bundle().into_iter();
    let without_list = without_list.filter(|file| file.path != "release.json");
    bench.add_bundle(without_list.collect());
    let words = ["--from", folder.to_str().unwrap(), "--unpack", "out"];
    bench.refused(DEBIAN, &words, 6, "does not begin with the list");
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
    for client in [None, Some(BUSYBOX_WGET)] {
        let machine = Machine { client, ..BUSYBOX };
        bench.refused(machine, &UNPACK, 5, "neither curl nor GNU wget");
    }
    let help = bench.run(BUSYBOX, &["--help"]).ok().unwrap();
    assert!(
        help.contains("--unpack DIR")
            && help.contains("Exit codes")
            && help.contains("(keys.json) is not read"),
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
    let release = releases.for_all(VERSION).unwrap();
    let host = Host::new().user("alice").build().unwrap();
    let bench = Bench::new();
    let mut pins = bench.pins();
    let artefact = release.manifest.release_for(&target()).unwrap();
    assert_eq!(artefact.kind, ArtefactKind::Bundle);
    for name in ["sha256_x86_64", "sha256_aarch64"] {
        pins.insert(name, artefact.digest.hex());
    }
    bench.fill(&pins);
    host.copy(&bench.path("install.sh"), "/root/install.sh")
        .unwrap();
    let archive = release.archive.with_file_name(&artefact.name);
    host.copy(&archive, format!("/root/public/{}", artefact.name))
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
    not_root.exited(3).unwrap();
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
