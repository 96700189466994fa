//! A publisher's folder: programs that are scripts, unit templates of one line, keys, a changelog.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use banger_installer_trust::model::Digest;
use banger_release::{
    CheckError, CheckOptions, PROGRAMS, SUMS_NAME, UNITS, check as check_folder, digest,
};

/// The program under test.
pub(crate) const TOOL: &str = env!("CARGO_BIN_EXE_banger-release");

const CHANGELOG: &str = "\
# Changelog

## [Unreleased]

## [0.1.2] - 2026-11-23
### Fixed
- two

## [0.1.1]
### Added
- one

## [0.1.0]
### Added
- nothing
";

/// Everything goes with the value.
pub(crate) struct Bench {
    temp: tempfile::TempDir,
}

impl Bench {
    /// With the key pairs `keys/NAME.key` and `keys/NAME.pub` that are not encrypted.
    pub(crate) fn new(keys: &[&str]) -> Self {
        let bench = Self {
            temp: tempfile::tempdir().unwrap(),
        };
        for name in ["bin", "workspace", "workspace/units"] {
            fs_err::create_dir(bench.path(name)).unwrap();
        }
        for unit in UNITS {
            let path = format!("workspace/units/{unit}.in");
            fs_err::write(bench.path(&path), format!("# {unit}\n")).unwrap();
        }
        fs_err::write(bench.path("workspace/CHANGELOG.md"), CHANGELOG).unwrap();
        for name in keys {
            bench.ok(&format!("key make --out keys --name {name} --unencrypted"));
        }
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// The program with words that white space separates, in the bench's folder.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(TOOL);
        command
            .args(words.split_whitespace())
            .current_dir(self.temp.path())
            .stdin(Stdio::null())
            .env_remove("SOURCE_DATE_EPOCH");
        command
    }

    /// Runs it; it must succeed. What it printed.
    pub(crate) fn ok(&self, words: &str) -> String {
        succeeds(&mut self.command(words))
    }

    /// Runs it; it must end with this code and one error. What it complained.
    pub(crate) fn fails(&self, words: &str, code: i32) -> String {
        fails(&mut self.command(words), code)
    }

    /// Runs it; the words are not even understood.
    pub(crate) fn fails_at_parsing(&self, words: &str) {
        let output = self.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }

    /// A line of the shell in the bench's folder; `$tool` is the program.
    pub(crate) fn shell(&self, line: &str) -> Output {
        Command::new("sh")
            .args(["-euc", line])
            .current_dir(self.temp.path())
            .env("tool", TOOL)
            .output()
            .unwrap()
    }

    /// Packs a release into `out-VERSION`, signed by these keys.
    pub(crate) fn build(&self, version: &str, sequence: u64, keys: &[&str]) {
        self.build_with(version, sequence, keys, "");
    }

    /// The same with more words.
    pub(crate) fn build_with(&self, version: &str, sequence: u64, keys: &[&str], more: &str) {
        self.programs(version);
        let keys: Vec<_> = keys
            .iter()
            .map(|name| format!("--key keys/{name}.key"))
            .collect();
        let keys = keys.join(" ");
        self.ok(&format!(
            "build --version {version} --channel stable --sequence {sequence} --no-sbom \
             --binaries bin --workspace workspace --out out-{version} {keys} {more}"
        ));
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn write_secret(&self, name: &str, text: &str) {
        fs_err::write(self.path(name), text).unwrap();
        self.set_mode(name, 0o600);
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        let mode = std::fs::Permissions::from_mode(mode);
        fs_err::set_permissions(self.path(name), mode).unwrap();
    }

    /// Puts programs that say a version into `bin`.
    pub(crate) fn programs(&self, version: &str) {
        for program in PROGRAMS {
            let path = self.path("bin").join(program);
            let script = format!("#!/bin/sh\necho '{program} {version}'\n");
            fs_err::write(&path, script).unwrap();
            let mode = std::fs::Permissions::from_mode(0o755);
            fs_err::set_permissions(&path, mode).unwrap();
        }
    }

    pub(crate) fn publish(&self, version: &str) -> String {
        self.ok(&format!("publish --release out-{version} --to public"))
    }

    /// Publishes to a folder that holds nothing yet.
    pub(crate) fn publish_anew(&self, version: &str) {
        fs_err::remove_dir_all(self.path("public")).unwrap();
        self.publish(version);
    }

    /// What a client that trusts these keys says of `public/stable`: the version that it found.
    pub(crate) fn client_sees(&self, keys: &[&str]) -> Result<String, CheckError> {
        let options = CheckOptions {
            folder: self.path("public/stable"),
            keys: keys
                .iter()
                .map(|name| self.path(&format!("keys/{name}.pub")))
                .collect(),
            roots: Vec::new(),
            root_threshold: None,
            now: jiff::Timestamp::now(),
        };
        let mut first = None;
        check_folder(&options, &mut |checked| {
            first.get_or_insert(checked.fact);
        })?;
        let fact = first.unwrap();
        Ok(fact.split([' ', ',']).nth(1).unwrap().to_owned())
    }

    /// minisign's verdict over a file by its signature file or another.
    pub(crate) fn minisign(&self, key: &str, file: &str, signature: &str) -> String {
        succeeds(
            Command::new("minisign")
                .args([
                    "-V",
                    "-p",
                    &format!("keys/{key}.pub"),
                    "-m",
                    file,
                    "-x",
                    signature,
                ])
                .current_dir(self.temp.path()),
        )
    }

    /// Each signature of a file is minisign's, by the key of this name.
    pub(crate) fn minisign_takes_each(&self, file: &str, keys: &[&str]) {
        let text = self.read(&format!("{file}.minisig"));
        let split = banger_release::split_signatures(&text);
        assert_eq!(split.len(), keys.len(), "{text}");
        for ((_, signature), key) in split.iter().zip(keys) {
            fs_err::write(self.path("split"), signature).unwrap();
            self.minisign(key, file, "split");
        }
    }

    /// sha256sum's verdict over a folder; the number of files in it.
    pub(crate) fn sha256sum(&self, folder: &str) -> usize {
        let said = succeeds(
            Command::new("sha256sum")
                .args(["-c", "--strict", SUMS_NAME])
                .current_dir(self.path(folder)),
        );
        said.lines().count()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }

    /// The id of a public key, as minisign writes it into the file's comment.
    pub(crate) fn id(&self, key: &str) -> String {
        let text = self.read(&format!("keys/{key}.pub"));
        let line = text.lines().next().unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    }
}

pub(crate) fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn fails(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{command:?}: {said}");
    let errors = said.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{said}");
    said
}

/// Every file beneath a folder with its digest; of a folder or a link, that it is there.
pub(crate) fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Digest>> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<PathBuf, Option<Digest>>) {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            if path.is_symlink() || path.is_dir() {
                found.insert(name, None);
            } else {
                found.insert(name, Some(digest(&fs_err::read(&path).unwrap())));
            }
            if path.is_dir() && !path.is_symlink() {
                walk(&path, root, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

/// The project from which this test was built.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .into()
}
