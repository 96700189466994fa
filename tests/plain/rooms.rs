//! ARCHITECTURE.md's arrows: which room may know of which.

use std::path::{Path, PathBuf};

/// A room, and the paths that must not stand in it.
struct Room {
    folder: &'static str,
    forbidden: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    Room {
        folder: "installer/src/model",
        forbidden: &[
            "crate::effect",
            "crate::observe",
            "crate::plan",
            "crate::step",
            "crate::journal",
            "crate::engine",
            "crate::verify",
            "crate::fetch",
            "fs_err",
            "std::fs",
            "zbus",
            "tokio",
            "SystemTime",
            "Timestamp::now",
        ],
    },
    Room {
        folder: "installer/src/unit",
        forbidden: &["crate::", "fs_err", "std::fs", "zbus", "tokio"],
    },
    Room {
        folder: "installer/src/plan",
        forbidden: &[
            "crate::effect",
            "crate::step::",
            "crate::engine",
            "crate::journal",
            "crate::fetch",
            "fs_err",
            "std::fs",
            "std::net",
            "zbus",
            "tokio",
            "SystemTime",
            "Timestamp::now",
        ],
    },
    Room {
        folder: "installer/src/step",
        forbidden: &["crate::toolkit", "crate::engine", "crate::journal"],
    },
    Room {
        folder: "installer/src/journal",
        forbidden: &["crate::toolkit", "crate::engine"],
    },
    Room {
        folder: "installer/src/effect",
        forbidden: &[
            "crate::step",
            "crate::engine",
            "crate::plan",
            "crate::toolkit",
        ],
    },
    Room {
        folder: "installer/src",
        forbidden: &["banger_runtime", "firecracker", "println!", "eprintln!"],
    },
    Room {
        folder: "runtime/src/reconcile",
        forbidden: &[
            "fs_err",
            "std::fs",
            "std::net",
            "tokio",
            "SystemTime",
            "Timestamp::now",
            "zlink",
            "crate::helper",
            "crate::owner",
            "rustix::process",
        ],
    },
    Room {
        folder: "runtime/src/helper",
        forbidden: &["crate::owner", "crate::cli"],
    },
    Room {
        folder: "runtime/src/owner",
        forbidden: &["crate::helper", "crate::cli", "crate::jail"],
    },
    Room {
        folder: "runtime/src/protocol",
        forbidden: &["crate::helper", "crate::owner", "crate::cli"],
    },
    Room {
        folder: "release/src",
        forbidden: &[
            "banger_runtime",
            "banger_installer::engine",
            "banger_installer::step",
        ],
    },
];

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .into()
}

/// Every Rust file beneath a folder, with its text up to its own tests.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs_err::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs_err::read_to_string(&path).unwrap();
                let code = text
                    .split("\n#[cfg(test)]\nmod tests {")
                    .next()
                    .unwrap_or_default();
                found.push((path, code.to_owned()));
            }
        }
    }
    found
}

/// The lines of code that hold one of the words; comments are no code.
fn trespasses<'a>(code: &'a str, words: &[&str]) -> Vec<&'a str> {
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .filter(|line| words.iter().any(|word| line.contains(word)))
        .collect()
}

#[test]
fn every_room_keeps_to_its_arrows() {
    let mut found = Vec::new();
    for room in ROOMS {
        let files = sources(&project().join(room.folder));
        assert!(
            !files.is_empty(),
            "{} is empty: the rule guards nothing",
            room.folder
        );
        for (path, code) in files {
            for line in trespasses(&code, room.forbidden) {
                found.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "rooms know what they must not:\n{}",
        found.join("\n")
    );
}

#[test]
fn only_the_command_line_prints() {
    let printing = [
        "println!",
        "print!(",
        "eprintln!",
        "eprint!(",
        "stdout()",
        "stderr()",
    ];
    let mut found = Vec::new();
    let rooms = ["runtime/src", "release/src"].map(|room| project().join(room));
    for (path, code) in rooms.iter().flat_map(|room| sources(room)) {
        let allowed = rooms
            .iter()
            .any(|room| path.starts_with(room.join("cli")) || path.starts_with(room.join("bin")));
        if !allowed {
            found.extend(
                trespasses(&code, &printing)
                    .iter()
                    .map(|line| format!("{}: {line}", path.display())),
            );
        }
    }
    assert!(
        found.is_empty(),
        "printed outside cli/:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_trespass_is_seen() {
    let code = "use crate::owner::Owner;\n// crate::owner is not for us\n";
    assert_eq!(
        trespasses(code, &["crate::owner"]),
        ["use crate::owner::Owner;"]
    );
}

#[test]
fn no_file_has_grown_past_what_can_be_read_in_one_go() {
    let mut long = Vec::new();
    for folder in [
        "installer",
        "runtime",
        "release",
        "tests",
        "fuzz/checks",
        "fuzz/fuzz_targets",
    ] {
        for (path, _) in sources(&project().join(folder)) {
            let lines = fs_err::read_to_string(&path).unwrap().lines().count();
            if lines > 450 {
                long.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "files to split:\n{}", long.join("\n"));
}
