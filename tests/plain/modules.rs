//! What Cargo cannot guard of ARCHITECTURE.md's arrows: what is pure inside of a crate, which module
//! may know of which, who prints, and how long a file is. The arrows between crates are Cargo's.

use std::path::{Path, PathBuf};

/// A module, and the paths that must not stand in it.
#[derive(Clone, Copy)]
struct Module {
    folder: &'static str,
    forbidden: &'static [&'static str],
}

/// What has effects: data and decisions have none.
const EFFECTS: &[&str] = &[
    "fs_err",
    "std::fs",
    "std::net",
    "std::process",
    "rustix::process",
    "zbus",
    "zlink",
    "tokio",
    "SystemTime",
    "Timestamp::now",
];

/// The folders of what is pure.
const PURE: &[&str] = &[
    "installer/converge/src/model",
    "installer/converge/src/plan",
    "installer/host/src/model",
    "installer/systemd/src/unit",
    "installer/trust/src/model",
    "runtime/vms/src/reconcile",
];

const MODULES: &[Module] = &[
    Module {
        folder: "installer/host/src/model",
        forbidden: &["crate::"],
    },
    Module {
        folder: "installer/systemd/src/unit",
        forbidden: &["crate::"],
    },
    Module {
        folder: "installer/trust/src/model",
        forbidden: &["crate::"],
    },
    Module {
        folder: "installer/converge/src/model",
        forbidden: &["crate::"],
    },
    Module {
        folder: "installer/converge/src/plan",
        forbidden: &[
            "crate::effect",
            "crate::step::",
            "crate::engine",
            "crate::journal",
            "banger_installer_systemd::client",
        ],
    },
    Module {
        folder: "installer/converge/src/step",
        forbidden: &["crate::engine", "crate::journal"],
    },
    Module {
        folder: "installer/converge/src/journal",
        forbidden: &["crate::engine"],
    },
    Module {
        folder: "installer/converge/src/effect",
        forbidden: &["crate::step", "crate::engine", "crate::plan"],
    },
    Module {
        folder: "installer",
        forbidden: &["firecracker"],
    },
    // the road of an update is the toolkit's: the command line has its words
    Module {
        folder: "runtime/cli/src",
        forbidden: &[
            "Mirrors",
            "Pinned",
            "Trust::",
            "verify_manifest",
            "ExpectedEntries",
            "plan::decide",
        ],
    },
    // what nobody has verified is for the tests of the engine
    Module {
        folder: "runtime",
        forbidden: &["::unverified"],
    },
    Module {
        folder: "runtime/src/helper",
        forbidden: &["crate::owner"],
    },
    Module {
        folder: "runtime/src/owner",
        forbidden: &["crate::helper", "crate::jail"],
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
    let pure = PURE.iter().map(|folder| Module {
        folder,
        forbidden: EFFECTS,
    });
    let mut found = Vec::new();
    for module in pure.chain(MODULES.iter().copied()) {
        let files = sources(&project().join(module.folder));
        assert!(
            !files.is_empty(),
            "{} is empty: the rule guards nothing",
            module.folder
        );
        for (path, code) in files {
            for line in trespasses(&code, module.forbidden) {
                found.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "modules know what they must not:\n{}",
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
    let modules = ["installer", "runtime", "release/src"].map(|module| project().join(module));
    let may_print = [
        "installer/examples",
        "runtime/cli/src",
        "runtime/src/main.rs",
        "release/src/cli",
    ]
    .map(|place| project().join(place));
    for (path, code) in modules.iter().flat_map(|module| sources(module)) {
        let is_test = path.components().any(|part| part.as_os_str() == "tests");
        let allowed = is_test || may_print.iter().any(|place| path.starts_with(place));
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
