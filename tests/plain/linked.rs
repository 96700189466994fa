//! What the daemons link: a program that runs as root holds no more than it needs.

use std::collections::BTreeSet;

use banger_tests::support::{command, programs};

/// What only the command line needs: TLS, HTTP, archives, signatures, the updater, a parser of many
/// words and what draws on terminals.
const NOT_IN_A_DAEMON: &[&str] = &[
    "banger-cli",
    "banger-installer",
    "clap",
    "clap_builder",
    "clap_derive",
    "flate2",
    "indicatif",
    "minisign-verify",
    "ring",
    "rustls",
    "self_update",
    "tar",
    "tempfile",
    "ureq",
];

/// The crates that are linked into the programs of one.
fn linked(package: &str) -> BTreeSet<String> {
    let words = "tree --quiet --locked --offline --edges normal --prefix none --format {p}";
    let mut cargo = programs::cargo();
    cargo.args(words.split(' ')).args(["--package", package]);
    let tree = command::run(&mut cargo).unwrap().ok().unwrap();
    tree.lines()
        .filter_map(|line| Some(line.split_once(' ')?.0.to_owned()))
        .collect()
}

#[test]
fn the_daemons_link_neither_the_updater_nor_anything_of_a_network() {
    let daemons = linked("banger-runtime");
    println!("bangerd links {} crates", daemons.len());
    assert!(daemons.contains("banger-runtime") && daemons.contains("zlink"));
    let found: Vec<_> = NOT_IN_A_DAEMON
        .iter()
        .filter(|name| daemons.contains(**name))
        .collect();
    assert!(found.is_empty(), "bangerd links {found:?}");
}

#[test]
fn the_command_line_links_the_updater_and_no_daemon() {
    let line = linked("banger-cli");
    println!("banger links {} crates", line.len());
    assert!(!line.contains("banger-runtime"), "banger links the daemons");
    // the names are those that cargo uses: each would be found
    for name in NOT_IN_A_DAEMON {
        assert!(line.contains(*name), "{name} is linked nowhere");
    }
}

#[test]
fn each_part_of_the_toolkit_links_no_more_than_it_needs() {
    const NETWORK: &[&str] = &["self_update", "ureq", "rustls", "ring"];
    const ARCHIVES: &[&str] = &["tar", "flate2"];
    const SIGNATURES: &[&str] = &["minisign-verify"];
    const MANAGER: &[&str] = &["zbus", "tokio"];
    for (part, forbidden) in [
        ("host", &[NETWORK, ARCHIVES, SIGNATURES, MANAGER][..]),
        ("systemd", &[NETWORK, ARCHIVES, SIGNATURES]),
        ("trust", &[NETWORK, ARCHIVES, MANAGER]),
        ("fetch", &[MANAGER]),
        ("converge", &[NETWORK, ARCHIVES, SIGNATURES]),
    ] {
        let linked = linked(&format!("banger-installer-{part}"));
        println!("banger-installer-{part} links {} crates", linked.len());
        let found: Vec<_> = forbidden
            .iter()
            .flat_map(|names| names.iter())
            .filter(|name| linked.contains(**name))
            .collect();
        assert!(found.is_empty(), "banger-installer-{part} links {found:?}");
    }
}
