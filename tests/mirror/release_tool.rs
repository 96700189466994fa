//! What the release tool writes, judged by the tools that everyone has and by our own installer.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use banger_installer::fetch::host_target;
use banger_installer::model::{Urgency, Version};
use banger_release::{
    KeygenOptions, PROGRAMS, PackOptions, Password, ReleaseError, SigningKey, UNITS, keygen, pack,
};
use tempfile::TempDir;

use crate::world::World;

const NEEDS_MINISIGN: &str = "minisign is needed: apt-get install minisign";

/// Programs that are scripts and say a version, unit templates of one line, and a key.
struct Workshop {
    temp: TempDir,
}

impl Workshop {
    fn new(version: &str) -> Self {
        let workshop = Self {
            temp: tempfile::tempdir().unwrap(),
        };
        for folder in ["bin", "units"] {
            fs_err::create_dir(workshop.path(folder)).unwrap();
        }
        for program in PROGRAMS {
            let path = workshop.path("bin").join(program);
            fs_err::write(&path, format!("#!/bin/sh\necho '{program} {version}'\n")).unwrap();
            let mode = std::fs::Permissions::from_mode(0o755);
            fs_err::set_permissions(&path, mode).unwrap();
        }
        for unit in UNITS {
            let path = workshop.path("units").join(format!("{unit}.in"));
            fs_err::write(path, format!("# {unit}\n")).unwrap();
        }
        workshop.key().unwrap();
        workshop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn key(&self) -> Result<(), ReleaseError> {
        keygen(&KeygenOptions {
            out: self.path("keys"),
            name: "banger".into(),
            password: Password::None,
        })
        .map(drop)
    }

    fn options(&self) -> PackOptions {
        PackOptions {
            set: banger_release::ReleaseSet::of_banger().unwrap(),
            legacy: false,
            binaries: self.path("bin"),
            units: self.path("units"),
            version: Version::new(0, 1, 1),
            channel: "stable".into(),
            target: host_target().into(),
            keys: vec![SigningKey::load(&self.path("keys/banger.key"), None).unwrap()],
            out: self.path("dist"),
            sequence: Some(crate::world::SEQUENCE),
            released: None,
            expires_days: 90,
            upgrades_from: Version::new(0, 0, 0),
            urgency: Urgency::High,
            notes: "### Fixed\n- one thing".into(),
            sbom: None,
            source_date_epoch: 0,
        }
    }
}

fn write_secret(path: &Path, text: &str) {
    fs_err::write(path, text).unwrap();
    let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs_err::set_permissions(path, own).unwrap();
}

fn succeeds(command: &mut Command) -> Output {
    let output = command.output().expect(NEEDS_MINISIGN);
    assert!(output.status.success(), "{output:?}");
    output
}

fn minisign_accepts(public: &Path, file: &Path) -> String {
    let output = succeeds(
        Command::new("minisign")
            .args(["-V", "-p"])
            .arg(public)
            .arg("-m")
            .arg(file),
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_release_is_accepted_by_minisign_sha256sum_tar_and_the_installer() {
    let workshop = Workshop::new("0.1.1");
    let packed = pack(&workshop.options()).unwrap();
    let said = minisign_accepts(&workshop.path("keys/banger.pub"), &packed.manifest_path);
    assert!(
        said.contains("banger 0.1.1 channel stable sequence 1000"),
        "{said}"
    );
    let sums = succeeds(
        Command::new("sha256sum")
            .args(["-c", "--strict", "SHA256SUMS"])
            .current_dir(workshop.path("dist")),
    );
    assert_eq!(String::from_utf8(sums.stdout).unwrap().lines().count(), 2);
    let listed = succeeds(Command::new("tar").arg("tzf").arg(&packed.archive));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let expected = crate::world::expected();
    let expected = expected.entries().iter().map(|entry| entry.path.clone());
    let expected: Vec<_> = ["release.json".to_owned()]
        .into_iter()
        .chain(expected)
        .collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);

    let mut world = World::new();
    world.dist = workshop.path("dist");
    fs_err::copy(
        workshop.path("keys/banger.pub"),
        world.host.join("keys.d/banger.pub"),
    )
    .unwrap();
    let unpacked = world.update().unwrap();
    assert_eq!(
        fs_err::read(unpacked.join("bin/bangerd")).unwrap(),
        fs_err::read(workshop.path("bin/bangerd")).unwrap()
    );
}

#[test]
fn the_same_inputs_give_the_same_archive() {
    let workshop = Workshop::new("0.1.1");
    let first = fs_err::read(pack(&workshop.options()).unwrap().archive).unwrap();
    let mut options = workshop.options();
    options.out = workshop.path("again");
    let second = fs_err::read(pack(&options).unwrap().archive).unwrap();
    assert_eq!(first, second);
}

#[test]
fn minisign_can_use_both_keys_of_keygen() {
    let workshop = Workshop::new("0.1.1");
    let file = workshop.path("file");
    fs_err::write(&file, "anything").unwrap();
    succeeds(
        Command::new("minisign")
            .args(["-S", "-s"])
            .arg(workshop.path("keys/banger.key"))
            .arg("-m")
            .arg(&file),
    );
    minisign_accepts(&workshop.path("keys/banger.pub"), &file);
}

#[test]
fn keys_are_private_and_never_overwritten() {
    let workshop = Workshop::new("0.1.1");
    let secret = workshop.path("keys/banger.key");
    let mode = fs_err::metadata(&secret).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let before = fs_err::read(&secret).unwrap();
    let error = workshop.key().unwrap_err();
    assert!(matches!(error, ReleaseError::Exists { .. }), "{error:?}");
    assert_eq!(fs_err::read(&secret).unwrap(), before);
    // one of the two is enough to refuse
    fs_err::remove_file(&secret).unwrap();
    assert!(matches!(workshop.key(), Err(ReleaseError::Exists { .. })));
    assert!(!secret.exists());
}

#[test]
fn a_key_with_a_password_needs_it() {
    let workshop = Workshop::new("0.1.1");
    let password = workshop.path("password");
    write_secret(&password, "correct horse\n");
    let out = workshop.path("locked");
    keygen(&KeygenOptions {
        out: out.clone(),
        name: "banger".into(),
        password: Password::File(password.clone()),
    })
    .unwrap();
    let key = out.join("banger.key");
    let error = SigningKey::load(&key, None).unwrap_err();
    assert!(
        matches!(error, ReleaseError::KeyEncrypted { .. }),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("--password-file"));
    let wrong = workshop.path("wrong");
    write_secret(&wrong, "battery staple\n");
    let error = SigningKey::load(&key, Some(&wrong)).unwrap_err();
    assert!(matches!(error, ReleaseError::Key { .. }), "{error:?}");
    write_secret(&wrong, "\n");
    let error = SigningKey::load(&key, Some(&wrong)).unwrap_err();
    assert!(
        matches!(error, ReleaseError::NoPassword { .. }),
        "{error:?}"
    );
    let mut options = workshop.options();
    options.keys = vec![SigningKey::load(&key, Some(&password)).unwrap()];
    let packed = pack(&options).unwrap();
    minisign_accepts(&out.join("banger.pub"), &packed.manifest_path);
}

#[test]
fn a_key_is_not_told_by_its_debug_text() {
    let workshop = Workshop::new("0.1.1");
    let key = &workshop.options().keys[0];
    assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.id()));
}

#[test]
fn without_a_key_nothing_is_written() {
    let workshop = Workshop::new("0.1.1");
    let mut options = workshop.options();
    options.keys.clear();
    let error = pack(&options).unwrap_err();
    assert!(
        matches!(error, ReleaseError::HowManyKeys { count: 0 }),
        "{error:?}"
    );
    assert!(!options.out.exists(), "a refused release was written");
}

#[test]
fn a_program_of_another_version_is_not_packed() {
    let workshop = Workshop::new("0.1.0");
    let error = pack(&workshop.options()).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, ReleaseError::OtherVersion { .. }),
        "{error:?}"
    );
    assert!(text.contains("0.1.0") && text.contains("0.1.1"), "{text}");
    assert!(!workshop.path("dist").exists());
}

#[test]
fn a_program_that_says_no_version_is_not_packed() {
    let workshop = Workshop::new("soon");
    let error = pack(&workshop.options()).unwrap_err();
    assert!(matches!(error, ReleaseError::NoVersion { .. }), "{error:?}");
}

#[test]
fn a_missing_unit_template_is_named() {
    let workshop = Workshop::new("0.1.1");
    fs_err::remove_file(workshop.path("units/bangerd.socket.in")).unwrap();
    let error = pack(&workshop.options()).unwrap_err();
    assert!(error.to_string().contains("bangerd.socket.in"), "{error}");
    assert!(!workshop.path("dist").exists());
}
