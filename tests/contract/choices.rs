//! What a person can ask of `banger update`, on a host that follows a published folder: a version, a
//! channel, a step down, and keys that are exchanged without a new program.

use std::path::{Path, PathBuf};

use banger_installer::model::{PublicKeyText, Urgency};
use banger_release::{
    KeygenOptions, ListChange, PackOptions, Packed, Password, PublishOptions, SignedList,
    SigningKey, WithdrawOptions, change_list, keygen, new_list, pack, publish, withdraw,
};
use banger_tests::support::command::Output;
use banger_tests::support::releases::Releases;
use banger_tests::support::stage::Stage;
use banger_tests::support::{place, programs};
use jiff::Timestamp;

use crate::commands::{assert_refused, assert_same, tree, tree_but_memory};

/// A host with 0.1.0 that follows `{channel}` of what is published.
struct Follower {
    stage: Stage,
    folder: tempfile::TempDir,
}

impl Follower {
    fn new() -> Self {
        let releases = Releases::new().unwrap();
        let first = releases.sound("0.1.0").unwrap();
        let stage = Stage::new(releases).unwrap();
        let config = "[update]\nsource = \"https://127.0.0.1:8443/{channel}\"\n";
        stage.host.write("/etc/banger/config.toml", config).unwrap();
        stage.install(&first).unwrap().ok().unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { stage, folder }
    }

    fn key(&self, name: &str) -> PathBuf {
        let out = self.folder.path().join(name);
        if !out.exists() {
            keygen(&KeygenOptions {
                out: out.clone(),
                name: "banger".into(),
                password: Password::None,
            })
            .unwrap();
        }
        out.join("banger.key")
    }

    fn public(&self, name: &str) -> PublicKeyText {
        let path = self.key(name).with_extension("pub");
        let text = fs_err::read_to_string(path).unwrap();
        text.lines().nth(1).unwrap().parse().unwrap()
    }

    /// Packs a version of a channel, signed by a key.
    fn release(&self, version: &str, channel: &str, sequence: u64, key: &Path) -> Packed {
        pack(&PackOptions {
            set: banger_release::ReleaseSet::of_banger().unwrap(),
            legacy: false,
            binaries: programs::banger(version).unwrap(),
            units: place::workspace().join("units"),
            version: version.parse().unwrap(),
            channel: channel.into(),
            target: banger_installer::fetch::host_target().to_owned(),
            keys: vec![SigningKey::load(key, None).unwrap()],
            out: self.folder.path().join(format!("{channel}-{sequence}")),
            sequence: Some(sequence),
            released: None,
            expires_days: 30,
            upgrades_from: "0.1.0".parse().unwrap(),
            urgency: Urgency::High,
            notes: format!("### Fixed\n\n- What {version} is about.\u{1b}[2J\n"),
            sbom: None,
            source_date_epoch: 0,
        })
        .unwrap()
    }

    fn publish(&self, release: &Packed, keys: Option<PathBuf>) {
        let release = release.manifest_path.parent().unwrap().to_owned();
        let to = self.stage.releases.public();
        publish(&PublishOptions { release, to, keys }).unwrap();
    }

    /// With the key that the host was given.
    fn publish_own(&self, version: &str, channel: &str, sequence: u64) {
        let key = self.stage.releases.public_key().with_extension("key");
        self.publish(&self.release(version, channel, sequence, &key), None);
    }

    /// Withdraws the newest release of channel stable.
    fn withdraw(&self, sequence: u64) {
        let key = self.stage.releases.public_key().with_extension("key");
        let options = WithdrawOptions {
            from: self.stage.releases.public(),
            channel: "stable".into(),
            instead: None,
            signed_by: Vec::new(),
            sequence: Some(sequence),
            expires_days: 30,
        };
        withdraw(&options, || Ok(vec![SigningKey::load(&key, None)?])).unwrap();
    }

    fn update(&self, words: &[&str]) -> Output {
        self.stage
            .banger(&[&["update", "--yes"], words].concat())
            .unwrap()
    }

    fn version(&self) -> String {
        self.stage.banger(&["--version"]).unwrap().ok().unwrap()
    }

    /// Only root keys are trusted from here on.
    fn trust_roots(&self) {
        let keys = self.stage.host.path("/etc/banger/keys.d");
        fs_err::remove_dir_all(keys).unwrap();
        for root in ["root", "spare"] {
            let text = fs_err::read(self.key(root).with_extension("pub")).unwrap();
            let path = format!("/etc/banger/roots.d/{root}.pub");
            self.stage.host.write(&path, text).unwrap();
        }
    }

    /// A list of keys, signed by a root key.
    fn list(
        &self,
        change: &ListChange,
        before: Option<&SignedList>,
        root: &str,
        name: &str,
    ) -> SignedList {
        let now = Timestamp::now();
        let list = match before {
            None => new_list("banger", change, 30, now),
            Some(before) => change_list(&before.list, change, 30, now),
        };
        let root = SigningKey::load(&self.key(root), None).unwrap();
        let path = self.folder.path().join(name).join("keys.json");
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        let signed = SignedList::sign(&path, list.unwrap(), &[root]).unwrap();
        signed.write(true).unwrap();
        signed
    }

    /// A folder of the host as a source: this release and this list.
    fn source(&self, name: &str, release: &Packed, keys: &SignedList) -> String {
        let folder = format!("/root/{name}");
        let list = ["keys.json", "keys.json.minisig"].map(|file| keys.path.with_file_name(file));
        let files = [
            &release.archive,
            &release.manifest_path,
            &release.signature_path,
        ];
        for path in files.into_iter().chain(&list) {
            let to = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            self.stage.host.copy(path, to).unwrap();
        }
        folder
    }

    fn assert_refused(&self, words: &[&str], what: &str) {
        let before = tree_but_memory(&self.stage.host);
        assert_refused(&self.update(words), 6, what, "hint");
        assert_same(&before, &tree_but_memory(&self.stage.host));
    }
}

#[test]
fn a_version_a_step_down_and_a_channel_can_be_asked_for() {
    let host = Follower::new();
    let guest = host.stage.run_guest("web").unwrap();
    host.publish_own("0.1.0", "stable", 10);
    host.publish_own("0.1.1", "stable", 11);
    host.publish_own("0.1.2", "beta", 5);

    let before = tree(&host.stage.host);
    let check = host.stage.banger(&["update", "--check", "--json"]).unwrap();
    check.exited(10).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&check.stdout).unwrap();
    assert_eq!(answer["urgency"], "high");
    assert_eq!(answer["sequence"], 11);
    assert!(answer["notes"].as_str().unwrap().contains("0.1.1 is about"));
    assert_same(&before, &tree(&host.stage.host));

    // what is new stands before the question, and steers no terminal
    let said = host.update(&[]).ok().unwrap();
    assert!(said.contains("urgency high"), "{said}");
    let news = said.find("What 0.1.1 is about").expect(&said);
    assert!(news < said.find("What changes").unwrap(), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    assert_eq!(host.version(), "banger 0.1.1");

    // down only when that is said, and not up again by itself
    host.assert_refused(&["--version", "0.1.0"], "older than what was seen here");
    host.assert_refused(&["--version", "9.9.9"], "9.9.9 was asked for");
    let down = ["--version", "0.1.0", "--allow-downgrade"];
    host.update(&down).ok().unwrap();
    assert_eq!(host.version(), "banger 0.1.0");
    let said = host.update(&[]).ok().unwrap();
    assert!(said.contains("an older version was asked for"), "{said}");
    assert!(said.contains("banger update --version 0.1.1"), "{said}");
    assert_eq!(host.version(), "banger 0.1.0");
    host.update(&["--version", "0.1.1"]).ok().unwrap();
    assert_eq!(host.version(), "banger 0.1.1");

    // a channel is followed from then on, with numbers of its own
    host.update(&["--channel", "beta"]).ok().unwrap();
    assert_eq!(host.version(), "banger 0.1.2");
    let status = host.stage.banger(&["system", "status"]).unwrap().ok();
    assert!(
        status.as_ref().unwrap().contains("channel beta"),
        "{status:?}"
    );
    let said = host.update(&[]).ok().unwrap();
    assert!(said.contains("newest release of channel beta"), "{said}");
    let said = host.update(&["--channel", "stable"]).ok().unwrap();
    assert!(said.contains("0.1.2 is newer than 0.1.1"), "{said}");
    assert!(said.contains("Channel stable is followed"), "{said}");
    assert_eq!(host.version(), "banger 0.1.2");
    host.stage.check_untouched(&guest).unwrap();
}

#[test]
fn a_withdrawn_release_is_no_longer_offered_and_who_runs_it_is_told() {
    let host = Follower::new();
    host.publish_own("0.1.1", "stable", 10);
    host.publish_own("0.1.2", "stable", 11);
    let offered = || {
        let check = host.stage.banger(&["update", "--check", "--json"]).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&check.stdout).unwrap();
        answer["offered"].as_str().unwrap().to_owned()
    };
    assert_eq!(offered(), "0.1.2");

    // an old version takes what came back, and cannot have the other one by its name either
    host.withdraw(12);
    assert_eq!(offered(), "0.1.1");
    host.assert_refused(&["--version", "0.1.2"], "0.1.2 was asked for");
    host.update(&[]).ok().unwrap();
    assert_eq!(host.version(), "banger 0.1.1");
    let said = host.update(&[]).ok().unwrap();
    assert!(said.contains("0.1.1 is the newest release"), "{said}");

    // who runs the withdrawn version keeps it, and is told what is the newest and how to go there
    host.publish_own("0.1.2", "stable", 13);
    host.update(&[]).ok().unwrap();
    assert_eq!(host.version(), "banger 0.1.2");
    host.withdraw(14);
    let said = host.update(&[]).ok().unwrap();
    assert!(said.contains("0.1.2 is newer than 0.1.1"), "{said}");
    let down = "sudo banger update --channel stable --allow-downgrade";
    assert!(said.contains(down), "{said}");
    assert_eq!(host.version(), "banger 0.1.2");
    host.update(&["--channel", "stable", "--allow-downgrade"])
        .ok()
        .unwrap();
    assert_eq!(host.version(), "banger 0.1.1");
}

#[test]
fn keys_are_exchanged_without_a_new_program() {
    let host = Follower::new();
    host.trust_roots();
    let signed_by_old = host.release("0.1.1", "stable", 10, &host.key("old"));
    let signed_by_new = host.release("0.1.2", "stable", 11, &host.key("new"));
    let served = host.stage.releases.public().join("stable");

    // without a list nobody may sign
    host.publish(&signed_by_old, None);
    host.assert_refused(&[], "no list of signing keys");

    let list = |change: &ListChange, before: Option<&SignedList>, root: &str, name: &str| {
        host.list(change, before, root, name)
    };
    let first = ListChange {
        add: vec![host.public("old")],
        ..ListChange::default()
    };
    let first = list(&first, None, "root", "first");
    host.publish(&signed_by_old, Some(first.path.clone()));
    host.update(&[]).ok().unwrap();
    assert_eq!(host.version(), "banger 0.1.1");

    // the other root key exchanges the one that was stolen
    host.publish(&signed_by_new, None);
    host.assert_refused(&[], "which is not trusted here");
    let second = ListChange {
        add: vec![host.public("new")],
        revoke: vec![host.public("old").id()],
        ..ListChange::default()
    };
    let second = list(&second, Some(&first), "spare", "second");
    host.publish(&signed_by_new, Some(second.path.clone()));
    host.update(&[]).ok().unwrap();
    assert_eq!(host.version(), "banger 0.1.2");

    // the thief's release, with the new list, without one, and with the old one
    let thief = host.release("0.1.1", "stable", 12, &host.key("old"));
    let serve = |release: &Packed| {
        for path in [&release.manifest_path, &release.signature_path] {
            fs_err::copy(path, served.join(path.file_name().unwrap())).unwrap();
        }
    };
    serve(&thief);
    host.assert_refused(&[], "was revoked");
    let list_files = ["keys.json", "keys.json.minisig"];
    for name in list_files {
        fs_err::remove_file(served.join(name)).unwrap();
    }
    host.assert_refused(&[], "was revoked");
    for name in list_files {
        fs_err::copy(first.path.with_file_name(name), served.join(name)).unwrap();
    }
    host.assert_refused(&[], "list of keys is older than what was seen");
    let rooted = host.release("0.1.1", "stable", 13, &host.key("root"));
    serve(&rooted);
    for name in list_files {
        fs_err::copy(second.path.with_file_name(name), served.join(name)).unwrap();
    }
    host.assert_refused(&[], "may sign lists of keys only");
}

#[test]
fn a_revocation_is_kept_whatever_becomes_of_the_manifest_that_came_with_it() {
    let host = Follower::new();
    host.trust_roots();
    let (stolen, kept) = (host.public("stolen"), host.public("kept"));
    let everybody = ListChange {
        add: vec![stolen.clone(), kept],
        ..ListChange::default()
    };
    let before = host.list(&everybody, None, "root", "all");
    let thief = host.release("0.1.1", "stable", 10, &host.key("stolen"));
    let revoking = ListChange {
        revoke: vec![stolen.id()],
        ..ListChange::default()
    };
    let after = host.list(&revoking, Some(&before), "spare", "revoking");
    // the list is to be believed, and what came with it is not
    let news = host.source("news", &thief, &after);
    let old = host.source("old", &thief, &before);
    let older = "list of keys is older than what was seen";
    let sources = ["--from", &news, "--from", &old];

    // a look is held against what it learns itself, and keeps nothing of it
    let files = files_of(&host.stage);
    for look in ["--check", "--dry-run"] {
        let words = [&["update", look], &sources[..]].concat();
        let said = host.stage.banger(&words).unwrap();
        said.exited(6).unwrap();
        assert!(said.text().contains("was revoked"), "{}", said.text());
        assert!(said.text().contains(older), "{}", said.text());
        assert_eq!(files_of(&host.stage), files, "{look} wrote something");
    }

    let said = host.update(&sources);
    said.exited(6).unwrap();
    // the next source, and the next command, are held against it
    assert!(said.text().contains("was revoked"), "{}", said.text());
    assert!(said.text().contains(older), "{}", said.text());
    host.assert_refused(&["--from", &old], older);
    assert_eq!(host.version(), "banger 0.1.0");
}

#[test]
fn a_check_and_a_dry_run_write_nothing_even_where_keys_and_a_release_are_news() {
    let host = Follower::new();
    host.trust_roots();
    let change = |name: &str| ListChange {
        add: vec![host.public(name)],
        ..ListChange::default()
    };
    let first = host.list(&change("old"), None, "root", "first");
    let release = host.release("0.1.1", "stable", 10, &host.key("old"));
    host.publish(&release, Some(first.path.clone()));
    host.update(&[]).ok().unwrap();

    // everything is news: the list, the key, the number and the version
    let second = host.list(&change("new"), Some(&first), "root", "second");
    let news = host.release("0.1.2", "stable", 11, &host.key("new"));
    host.publish(&news, Some(second.path.clone()));
    let before = files_of(&host.stage);
    assert!(before.contains("/var/lib/banger-install/seen.json "));
    let looks: [(&[&str], i32, &str); 4] = [
        (&["--check"], 10, "0.1.1 → 0.1.2"),
        (&["--check", "--json"], 10, "0.1.2"),
        (&["--dry-run"], 0, "0.1.2"),
        (&["--dry-run", "--json"], 0, "0.1.2"),
    ];
    for (words, code, said) in looks {
        let look = host.stage.banger(&[&["update"], words].concat()).unwrap();
        look.exited(code).unwrap();
        assert!(look.stdout.contains(said), "{words:?}: {}", look.text());
        assert_eq!(files_of(&host.stage), before, "{words:?} wrote something");
    }
    // what was looked at can be taken, and is remembered then
    host.update(&[]).ok().unwrap();
    assert_eq!(host.version(), "banger 0.1.2");
    assert_ne!(files_of(&host.stage), before);
}

/// Every file of the host: its name, kind, mode, owner, size, time of its last change and end of its link.
/// Of folders, the time does not count: something may have come and gone in them. Left out is what
/// the host's own services write at any time.
fn files_of(stage: &Stage) -> String {
    let line = "find / /run /tmp -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /var/log \
                -o -path /run/systemd -o -path /run/udev -o -path /run/log -o -path /run/dbus \
                -o -path /run/lock -o -path /run/user -o -path /run/utmp -o -path /var/lib/systemd \
                -o -path /var/lib/dbus \\) -prune \
                -o -type d -printf '%p %y %m %u %g\\n' \
                -o -printf '%p %y %m %u %g %s %T@ %l\\n' | sort";
    stage.host.shell(line).unwrap().ok().unwrap()
}
