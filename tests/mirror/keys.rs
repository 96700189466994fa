//! Keys, configurations and folders that others could have written.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use banger_installer::error_kind::ErrorKind;
use banger_installer::fetch::config;
use banger_installer::fetch::{ConfigError, FetchError};
use banger_installer::verify::{Keyring, KeyringError, TrustedFileError};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::world::{Stopped, World, me};

fn load(world: &World) -> Result<Keyring, KeyringError> {
    Keyring::load("", &world.host.join("keys.d"), me())
}

fn chmod(path: &Path, mode: u32) {
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn line_of(path: &Path) -> String {
    let text = fs_err::read_to_string(path).unwrap();
    text.lines().nth(1).unwrap().into()
}

/// The error must be about the path's safety, name the path and say what to type.
fn unsafe_key(error: &KeyringError, path: &Path) -> String {
    assert_eq!(error.kind(), ErrorKind::Refused);
    let KeyringError::Unsafe(cause) = error else {
        panic!("{error:?}");
    };
    assert!(
        cause.to_string().contains(path.to_str().unwrap()),
        "{cause}"
    );
    error.hint().unwrap().to_string()
}

#[test]
fn no_key_at_all() {
    let world = World::new();
    for folder in ["nowhere", "empty"] {
        let folder = world.temp.path().join(folder);
        if folder.ends_with("empty") {
            fs_err::create_dir(&folder).unwrap();
        }
        let error = Keyring::load(" \n,", &folder, me()).unwrap_err();
        assert!(matches!(error, KeyringError::Empty { .. }), "{error:?}");
        assert!(
            error
                .hint()
                .unwrap()
                .to_string()
                .contains(folder.to_str().unwrap())
        );
    }
}

#[test]
fn built_in_keys_and_the_folders_keys_make_one_ring() {
    let world = World::new();
    let folder = world.host.join("keys.d");
    let names = ["a", "b", "c"];
    let lines: Vec<String> = names
        .iter()
        .map(|name| {
            let keys = world.temp.path().join(name);
            World::make_key(&keys);
            line_of(&keys.join("banger.pub"))
        })
        .collect();
    let built_in = format!("{},{}\n {}", lines[0], lines[1], lines[2]);
    assert_eq!(
        Keyring::load(&built_in, &folder, me())
            .unwrap()
            .ids()
            .count(),
        4
    );
    // the same key twice is one key
    fs_err::copy(world.temp.path().join("a/banger.pub"), folder.join("a.pub")).unwrap();
    assert_eq!(
        Keyring::load(&built_in, &folder, me())
            .unwrap()
            .ids()
            .count(),
        4
    );
    // other files are not keys
    fs_err::write(folder.join("README"), "about keys").unwrap();
    assert_eq!(load(&world).unwrap().ids().count(), 2);
}

#[test]
fn a_key_id_is_shown_as_minisign_shows_it() {
    let world = World::new();
    let text = fs_err::read_to_string(world.keys.join("banger.pub")).unwrap();
    let id = load(&world).unwrap().ids().next().unwrap();
    assert!(
        text.lines().next().unwrap().ends_with(&id.to_string()),
        "{id}: {text}"
    );
    let short = id.short();
    assert_eq!(short.chars().count(), 9, "{short}");
    assert!(id.to_string().starts_with(short.split('…').next().unwrap()));
}

#[test]
fn built_in_garbage() {
    let world = World::new();
    let folder = world.host.join("keys.d");
    for text in ["garbage", "RWQ", "AAAA"] {
        let error = Keyring::load(text, &folder, me()).unwrap_err();
        assert!(matches!(error, KeyringError::BuiltIn { .. }), "{error:?}");
    }
}

#[test]
fn a_file_that_is_no_key_fails_the_ring() {
    let world = World::new();
    let good = fs_err::read_to_string(world.keys.join("banger.pub")).unwrap();
    let secret = fs_err::read_to_string(world.keys.join("banger.key")).unwrap();
    for text in [
        "",
        "x",
        "untrusted comment: x\nx\n",
        &secret,
        &format!("{good}more\n"),
    ] {
        fs_err::write(world.host.join("keys.d/other.pub"), text).unwrap();
        let error = load(&world).unwrap_err();
        assert!(
            matches!(error, KeyringError::NotAKey { .. }),
            "{text:?}: {error:?}"
        );
        assert!(error.to_string().contains("other.pub"), "{error}");
    }
}

#[test]
fn keys_that_others_can_write() {
    let world = World::new();
    let key = world.host.join("keys.d/banger.pub");
    for mode in [0o664, 0o646, 0o666] {
        chmod(&key, mode);
        let hint = unsafe_key(&load(&world).unwrap_err(), &key);
        assert_eq!(hint, format!("sudo chmod go-w {}", key.display()));
    }
    chmod(&key, 0o644);
    assert!(load(&world).is_ok());
    let folder = world.host.join("keys.d");
    chmod(&folder, 0o777);
    let hint = unsafe_key(&load(&world).unwrap_err(), &folder);
    assert_eq!(hint, format!("sudo chmod go-w {}", folder.display()));
}

#[test]
fn keys_of_another_user() {
    let world = World::new();
    let folder = world.host.join("keys.d");
    let error = Keyring::load("", &folder, me() + 1).unwrap_err();
    let hint = unsafe_key(&error, &folder);
    assert_eq!(
        hint,
        format!("sudo chown {} {}", me() + 1, folder.display())
    );
    let key = folder.join("banger.pub");
    if std::os::unix::fs::chown(&key, Some(me() + 1), None).is_ok() {
        unsafe_key(&load(&world).unwrap_err(), &key);
    } else {
        assert_ne!(me(), 0, "root may give files away");
    }
}

#[test]
fn keys_that_are_no_regular_files() {
    let world = World::new();
    let key = world.host.join("keys.d/other.pub");
    let kind = |world: &World| {
        let error = load(world).unwrap_err();
        unsafe_key(&error, &key);
        let KeyringError::Unsafe(cause) = error else {
            panic!("{error:?}");
        };
        assert!(matches!(cause, TrustedFileError::Kind { .. }), "{cause:?}");
    };
    symlink("banger.pub", &key).unwrap();
    kind(&world);
    fs_err::remove_file(&key).unwrap();
    fs_err::create_dir(&key).unwrap();
    kind(&world);
    fs_err::remove_dir(&key).unwrap();
    // nobody writes to it: a reader that waited would wait for ever
    mknodat(CWD, &key, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    kind(&world);
    fs_err::remove_file(&key).unwrap();
    fs_err::write(&key, vec![b'x'; 5000]).unwrap();
    let error = load(&world).unwrap_err();
    assert!(
        matches!(
            error,
            KeyringError::Unsafe(TrustedFileError::TooLarge { .. })
        ),
        "{error:?}"
    );
}

#[test]
fn a_folder_that_is_a_link() {
    let world = World::new();
    let link = world.temp.path().join("link");
    symlink(world.host.join("keys.d"), &link).unwrap();
    let error = Keyring::load("", &link, me()).unwrap_err();
    unsafe_key(&error, &link);
}

#[test]
fn a_configuration_that_others_can_write() {
    let world = World::new();
    let path = world.temp.path().join("config.toml");
    assert_eq!(
        config::read(&path, me()).unwrap(),
        config::Config::default()
    );
    fs_err::write(&path, "[update]\nsource = \"https://h.example/b\"\n").unwrap();
    let read = config::read(&path, me()).unwrap();
    assert_eq!(read.update.source.as_deref(), Some("https://h.example/b"));
    chmod(&path, 0o666);
    let error = config::read(&path, me()).unwrap_err();
    assert!(
        matches!(
            error,
            ConfigError::Unsafe(TrustedFileError::Writable { .. })
        ),
        "{error:?}"
    );
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(
        error.hint().map(|hint| hint.to_string()),
        Some(format!("sudo chmod go-w {}", path.display()))
    );
    chmod(&path, 0o644);
    chmod(world.temp.path(), 0o777);
    let error = config::read(&path, me()).unwrap_err();
    assert!(
        matches!(
            error,
            ConfigError::Unsafe(TrustedFileError::Writable { .. })
        ),
        "{error:?}"
    );
}

#[test]
fn a_staging_folder_that_others_can_enter() {
    let world = World::new();
    fs_err::create_dir(world.staging()).unwrap();
    chmod(&world.staging(), 0o755);
    let stopped = world.refused(world.update());
    let Stopped::Fetch(error @ FetchError::Staging { .. }) = stopped else {
        panic!("{}", stopped.shown());
    };
    assert!(error.hint().unwrap().to_string().contains("chmod 0700"));
    // a link to a good folder is no good folder
    fs_err::remove_dir(world.staging()).unwrap();
    symlink(world.temp.path().join("dist"), world.staging()).unwrap();
    let outcome = world.update();
    assert!(
        matches!(outcome, Err(Stopped::Fetch(FetchError::Staging { .. }))),
        "{outcome:?}"
    );
}
