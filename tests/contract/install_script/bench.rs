//! A publisher's folder, the script with its pins, and machines with more or fewer programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use banger_release::archive::{self, File};
use banger_tests::support::command::{self, Output};
use banger_tests::support::place;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The version that is pinned in the script; the folder has the same one.
pub(crate) const VERSION: &str = "0.1.1";

/// What the script asks of any machine.
const BASE: [&str; 19] = [
    "awk",
    "cat",
    "date",
    "grep",
    "gzip",
    "head",
    "id",
    "mkdir",
    "mktemp",
    "rm",
    "sed",
    "sha256sum",
    "tail",
    "tar",
    "timeout",
    "tr",
    "uname",
    "wc",
    "sh",
];

/// The shell, and what stands in for the other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    /// dash, with Debian's programs.
    Dash,
    /// The shell of `BusyBox`, with its programs.
    Busybox,
}

/// A machine to run the script on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    pub(crate) shell: Shell,
    /// `curl`, `wget`, [`BUSYBOX_WGET`], or none.
    pub(crate) client: Option<&'static str>,
    pub(crate) minisign: bool,
}

/// dash, curl and minisign.
pub(crate) const DEBIAN: Machine = Machine {
    shell: Shell::Dash,
    client: Some("curl"),
    minisign: true,
};

/// `BusyBox` for everything that it has, GNU wget, and minisign.
pub(crate) const BUSYBOX: Machine = Machine {
    shell: Shell::Busybox,
    client: Some("wget"),
    minisign: true,
};

/// The `wget` of `BusyBox`.
pub(crate) const BUSYBOX_WGET: &str = "busybox wget";

/// Everything lies in one temporary folder.
pub(crate) struct Bench {
    temp: tempfile::TempDir,
    /// What the script is told about authorities of TLS.
    pub(crate) authority: Option<PathBuf>,
}

impl Bench {
    /// A good release, signed, and a script with all pins.
    pub(crate) fn new() -> Self {
        let bench = Self {
            temp: tempfile::tempdir().unwrap(),
            authority: None,
        };
        for folder in ["keys", "public", "tmp", "work"] {
            fs_err::create_dir(bench.path(folder)).unwrap();
        }
        bench.make_key("banger");
        fs_err::write(bench.archive(), good_archive()).unwrap();
        bench.publish(&bench.manifest());
        bench.fill(&bench.pins());
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    pub(crate) fn public(&self) -> PathBuf {
        self.path("public")
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.public().join(archive_name())
    }

    pub(crate) fn make_key(&self, name: &str) {
        let words = ["-G", "-f", "-W", "-p", "NAME.pub", "-s", "NAME.key"];
        let mut command = Command::new("minisign");
        command.args(words.map(|word| word.replace("NAME", name)));
        run_in(&self.path("keys"), &mut command);
    }

    /// The manifest of the archive that lies in the folder.
    pub(crate) fn manifest(&self) -> Value {
        let bytes = fs_err::read(self.archive()).unwrap();
        let asset = |target: &str, size: usize, digest: &str| {
            let name = format!("banger-{VERSION}-{target}.tar.gz");
            json!({
                "digest": digest, "name": name, "url": name, "kind": "release",
                "target": target, "size": size, "upgrades_from": "0.0.0",
            })
        };
        let other = format!("sha256:{}", "0".repeat(64));
        let digest = format!("sha256:{}", hex(&bytes));
        let mut package = asset(&target(), 1, &other);
        package["kind"] = "package".into();
        package["name"] = "banger.deb".into();
        json!({
            "schema": 1, "product": "banger", "channel": "stable", "sequence": 7,
            "released": "2026-11-23T00:00:00Z", "expires": "2126-11-23T00:00:00.25Z",
            "notes": "a \"quoted\" \\\\ one: {\"digest\":\"sha256:00\"},\n[and\tmore]",
            "releases": [{"version": VERSION, "date": "2026-11-23T00:00:00Z", "assets": [
                package, asset("other-unknown-linux-gnu", 2, &other),
                asset(&target(), bytes.len(), &digest),
            ]}],
        })
    }

    /// Puts an archive with a list beside the one without, in the folder, the manifest and the pins.
    pub(crate) fn add_bundle(&self, files: Vec<File>) {
        let name = format!("banger-{VERSION}-{}.bundle.tar.gz", target());
        let bytes = archive::write(files, 0).unwrap();
        fs_err::write(self.public().join(&name), &bytes).unwrap();
        let mut manifest = self.manifest();
        let assets = manifest["releases"][0]["assets"].as_array_mut().unwrap();
        let mut bundle = assets.last().unwrap().clone();
        bundle["name"] = name.as_str().into();
        bundle["url"] = name.as_str().into();
        bundle["kind"] = "bundle".into();
        bundle["size"] = bytes.len().into();
        bundle["digest"] = format!("sha256:{}", hex(&bytes)).into();
        assets.push(bundle);
        self.publish(&manifest);
        let mut pins = self.pins();
        pins.extend(["sha256_x86_64", "sha256_aarch64"].map(|pin| (pin, hex(&bytes))));
        self.fill(&pins);
    }

    /// Serves a manifest, on one line, signed by the key that is pinned.
    pub(crate) fn publish(&self, manifest: &Value) {
        self.publish_text(&serde_json::to_string(manifest).unwrap());
    }

    pub(crate) fn publish_text(&self, manifest: &str) {
        fs_err::write(self.public().join("manifest.json"), manifest).unwrap();
        self.sign("banger", &[]);
    }

    /// Signs what is served, with a key and more words for minisign.
    pub(crate) fn sign(&self, key: &str, words: &[&str]) {
        let mut command = Command::new("minisign");
        command
            .args(["-S", "-m", "manifest.json", "-s"])
            .arg(self.path(&format!("keys/{key}.key")))
            .args(words);
        run_in(&self.public(), &mut command);
    }

    /// What the release tool would fill in.
    pub(crate) fn pins(&self) -> BTreeMap<&'static str, String> {
        let public_key = fs_err::read_to_string(self.path("keys/banger.pub")).unwrap();
        let sum = hex(&fs_err::read(self.archive()).unwrap());
        BTreeMap::from([
            ("release_url", "https://releases.example.org/banger".into()),
            ("public_key", public_key.lines().nth(1).unwrap().into()),
            ("version", VERSION.into()),
            ("sha256_x86_64", sum.clone()),
            ("sha256_aarch64", sum),
        ])
    }

    /// Writes the script with these pins; the others stay as they stand in the sources.
    pub(crate) fn fill(&self, pins: &BTreeMap<&'static str, String>) {
        let mut text = template();
        for (name, value) in pins {
            text = text.replace(&format!("@{name}@"), value);
        }
        fs_err::write(self.path("install.sh"), text).unwrap();
    }

    /// Runs the script with a machine's programs and nothing else.
    pub(crate) fn run(&self, machine: Machine, words: &[&str]) -> Output {
        self.run_script(machine, &self.path("install.sh"), words)
    }

    pub(crate) fn run_script(&self, machine: Machine, script: &Path, words: &[&str]) -> Output {
        let mut command = match machine.shell {
            Shell::Dash => Command::new(program("dash")),
            Shell::Busybox => Command::new(program("busybox")),
        };
        if machine.shell == Shell::Busybox {
            command.arg("sh");
        }
        command
            .arg(script)
            .args(words)
            .env_clear()
            .env("PATH", self.tools(machine))
            .env("TMPDIR", self.path("tmp"))
            .current_dir(self.path("work"));
        if let Some(authority) = &self.authority {
            command.env("CURL_CA_BUNDLE", authority);
        }
        command::run(&mut command).unwrap()
    }

    /// A folder with links to the programs of a machine.
    fn tools(&self, machine: Machine) -> PathBuf {
        let name = format!("tools-{machine:?}").replace(|byte: char| !byte.is_alphanumeric(), "-");
        let folder = self.path(&name);
        if folder.exists() {
            return folder;
        }
        fs_err::create_dir(&folder).unwrap();
        let link = |name: &str, to: PathBuf| {
            fs_err::os::unix::fs::symlink(to, folder.join(name)).unwrap();
        };
        for name in BASE {
            match machine.shell {
                Shell::Dash => link(name, program(name)),
                Shell::Busybox => link(name, program("busybox")),
            }
        }
        let minisign = machine.minisign.then_some("minisign");
        for name in machine.client.iter().chain(&minisign) {
            if *name == BUSYBOX_WGET {
                link("wget", program("busybox"));
            } else {
                link(name, program(name));
            }
        }
        folder
    }

    /// Everything but the links to programs, with its bytes.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.temp.path().to_path_buf()];
        while let Some(folder) = open.pop() {
            for entry in fs_err::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let is_tools = path.to_str().unwrap().contains("/tools-");
                if is_tools {
                } else if path.is_dir() {
                    found.insert(path.clone(), Vec::new());
                    open.push(path);
                } else {
                    found.insert(path.clone(), fs_err::read(path).unwrap());
                }
            }
        }
        found
    }

    /// Runs the script, which must refuse and leave everything as it was.
    pub(crate) fn refused(&self, machine: Machine, words: &[&str], code: i32, what: &str) {
        let before = self.tree();
        let output = self.run(machine, words);
        let said = format!("{machine:?} {words:?}: {}", output.text());
        assert_eq!(output.code, Some(code), "{said}");
        let lines: Vec<&str> = output.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(
            lines[0].starts_with("error: ") && lines[0].contains(what),
            "{said}"
        );
        assert!(lines[1].starts_with("  hint:  "), "{said}");
        assert!(self.tree() == before, "something was written: {said}");
    }
}

/// The script as it stands in the sources.
pub(crate) fn template() -> String {
    fs_err::read_to_string(place::workspace().join("packaging/install.sh")).unwrap()
}

pub(crate) fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

pub(crate) fn archive_name() -> String {
    format!("banger-{VERSION}-{}.tar.gz", target())
}

/// Files like those of a release; the program says its version, and what it is called with.
pub(crate) fn good_files() -> Vec<File> {
    let program = format!("#!/bin/sh\necho banger {VERSION}\n");
    let file = |path: &str, mode, content: &str| File {
        path: path.into(),
        mode,
        content: content.into(),
    };
    vec![
        file("bin/banger", 0o755, &program),
        file("bin/bangerd", 0o755, &program),
        file("units/banger.slice.in", 0o644, "[Slice]\n"),
    ]
}

/// The same with a list and with files that are shared.
pub(crate) fn good_bundle() -> Vec<File> {
    let file = |path: &str| File {
        path: path.into(),
        mode: 0o644,
        content: b"text\n".to_vec(),
    };
    let more = [
        "release.json",
        "share/doc/banger/LICENSE-MIT",
        "share/man/man1/banger.1",
        "share/zsh/site-functions/_banger",
    ];
    good_files().into_iter().chain(more.map(file)).collect()
}

pub(crate) fn good_archive() -> Vec<u8> {
    archive::write(good_files(), 0).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn program(name: &str) -> PathBuf {
    ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        .map(|folder| Path::new(folder).join(name))
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("this machine has no {name}"))
}

fn run_in(folder: &Path, command: &mut Command) {
    command::run(command.current_dir(folder))
        .unwrap()
        .ok()
        .unwrap();
}
