//! The toolkit's example, a second product in less than a hundred lines, updates on a real host: from a
//! source with TLS, by signatures of a key that is made for the test.

use std::path::PathBuf;

use banger_installer::model::{Artefact, ArtefactKind, Digest, Manifest, Urgency};
use banger_release::archive::{self, File};
use banger_release::{KeygenOptions, Password, SigningKey, keygen, sign};
use banger_tests::support::command::{self, Output};
use banger_tests::support::server::{self, Server};
use banger_tests::support::{Host, programs};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

const PROGRAM: &str = "/usr/local/sbin/toy";

const DAEMON: &str = r#"#!/bin/sh
if [ "$1" = --version ]; then echo "toyd @version@"; exit 0; fi
if ! kill -0 "$(cat /var/lib/toy/child 2>/dev/null)" 2>/dev/null; then
    sleep infinity & echo $! > /var/lib/toy/child
fi
@behave@
echo "@version@" > /run/toy/version
systemd-notify --ready
while :; do sleep 3600 & wait $!; done
"#;

const UNITS: [(&str, &str); 3] = [
    ("toy.slice", "[Unit]\nDescription=toy children\n"),
    (
        "toyd.service",
        "[Unit]\nDescription=toy\n[Service]\nType=notify\nNotifyAccess=all\n\
         ExecStart=@programs@/toyd\nKillMode=process\nStateDirectory=toy\nRuntimeDirectory=toy\n\
         Restart=always\nRestartSec=200ms\n[Install]\nWantedBy=multi-user.target\n",
    ),
    (
        "toy-rescue.service",
        "[Unit]\nDescription=rolls back an update of toy that died or that failed its health checks\n\
         ConditionPathExists=|/var/lib/toy-install/journal.json\n\
         ConditionPathExists=|/var/lib/toy-install/trial.json\n[Service]\nType=exec\n\
         ExecStart=/usr/local/sbin/toy rescue\nRestart=on-failure\n[Install]\n\
         WantedBy=multi-user.target\n",
    ),
];

/// The files of a release; its daemon does what `behave` says before it answers.
fn files(version: &str, behave: &str) -> Vec<File> {
    let daemon = DAEMON
        .replace("@behave@", behave)
        .replace("@version@", version);
    let units = UNITS.map(|(name, text)| (format!("units/{name}.in"), 0o644, text.to_owned()));
    let daemon = ("bin/toyd".to_owned(), 0o755, daemon);
    units
        .into_iter()
        .chain([daemon])
        .map(|(path, mode, text)| File {
            path,
            mode,
            content: text.into_bytes(),
        })
        .collect()
}

/// A host on which 0.1.0 runs, and the publisher whose key it trusts.
struct SecondProduct {
    host: Host,
    folder: tempfile::TempDir,
    _server: Server,
}

impl SecondProduct {
    fn installed() -> Self {
        let host = Host::new().without_firecracker().build().unwrap();
        let words = "build --quiet --locked -p banger-installer --example toy";
        command::run(programs::cargo().args(words.split(' ')))
            .and_then(Output::ok)
            .unwrap();
        host.copy(&programs::own("examples/toy").unwrap(), PROGRAM)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let served = folder.path().join("public");
        fs_err::create_dir(&served).unwrap();
        let product = Self {
            _server: Server::start(&host, &served).unwrap(),
            host,
            folder,
        };
        let public = fs_err::read(product.key("own").with_extension("pub")).unwrap();
        product.write("/etc/toy/keys.d/toy.pub", public, 0o644);
        let config = format!("[update]\nsource = \"{}\"\n", server::URL);
        product.write("/etc/toy/config.toml", config, 0o644);
        for File {
            path,
            mode,
            content,
        } in files("0.1.0", "")
        {
            product.write(&format!("/root/0.1.0/{path}"), content, mode);
        }
        product.toy("install /root/0.1.0 0.1.0").ok().unwrap();
        product
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>, mode: u32) {
        self.host.write(path, content).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs_err::set_permissions(self.host.path(path), mode).unwrap();
    }

    fn toy(&self, words: &str) -> Output {
        self.host.shell(&format!("{PROGRAM} {words}")).unwrap()
    }

    fn shell(&self, line: &str) -> String {
        self.host.shell(line).unwrap().ok().unwrap().trim().into()
    }

    /// A secret key of the publisher's, or of somebody else's.
    fn key(&self, name: &str) -> PathBuf {
        let out = self.folder.path().join(name);
        if !out.exists() {
            keygen(&KeygenOptions {
                out: out.clone(),
                name: "toy".into(),
                password: Password::None,
            })
            .unwrap();
        }
        out.join("toy.key")
    }

    /// Serves a release as the newest; gives the path of its archive.
    fn publish(&self, version: &str, behave: &str, key: &str) -> PathBuf {
        let archive = archive::write(files(version, behave), 0).unwrap();
        let name = format!("toy-{version}-any.tar.gz");
        let released = Timestamp::now();
        let manifest = Manifest {
            product: "toy".into(),
            version: version.parse().unwrap(),
            channel: "stable".into(),
            sequence: 1,
            released,
            expires: released + SignedDuration::from_hours(24),
            urgency: Urgency::default(),
            notes: String::new(),
            artefacts: vec![Artefact {
                name: name.clone(),
                url: name.clone(),
                kind: ArtefactKind::Bundle,
                target: "any".into(),
                size: archive.len() as u64,
                digest: Digest::from_bytes(Sha256::digest(&archive).into()),
                upgrades_from: "0.1.0".parse().unwrap(),
            }],
        };
        let bytes = manifest.to_json().unwrap();
        let key = SigningKey::load(&self.key(key), None).unwrap();
        let signature = sign(&key, &bytes, "a test").unwrap();
        let served = self.folder.path().join("public");
        fs_err::write(served.join(&name), &archive).unwrap();
        fs_err::write(served.join("manifest.json"), bytes).unwrap();
        fs_err::write(served.join("manifest.json.minisig"), signature).unwrap();
        served.join(name)
    }

    /// The version that runs, as the daemon told.
    fn running(&self) -> String {
        self.shell("systemctl is-active --quiet toyd.service && cat /run/toy/version")
    }

    /// The child's pid and start time.
    fn child(&self) -> String {
        self.shell("cut -d' ' -f1,22 /proc/$(cat /var/lib/toy/child)/stat")
    }

    /// What is installed, but for what is remembered of releases.
    fn installation(&self) -> String {
        self.shell(
            "find /etc/toy /etc/systemd/system /usr/local /var/lib/toy-install \
             ! -name seen.json ! -type d -printf '%p %m %s %l\\n' | sort",
        )
    }

    fn assert_refused(&self, why: &str) {
        let before = (self.installation(), self.running(), self.child());
        let refused = self.toy("update");
        assert!(!refused.success(), "{}", refused.text());
        assert!(refused.stderr.contains(why), "{}", refused.text());
        let after = (self.installation(), self.running(), self.child());
        assert_eq!(after, before, "{why}");
    }
}

#[test]
fn a_second_product_updates_from_a_signed_source_while_its_child_lives() {
    let product = SecondProduct::installed();
    let child = product.child();
    assert_eq!(product.running(), "0.1.0");

    product.publish("0.1.1", "", "own");
    let said = product.toy("update").ok().unwrap();
    assert!(said.ends_with("changed: true"), "{said}");
    assert_eq!(product.running(), "0.1.1");
    assert_eq!(product.child(), child);
    let said = product.toy("update").ok().unwrap();
    assert!(said.contains("not taken: Installed"), "{said}");

    // another's signature, and bytes that the signed manifest does not name
    product.publish("0.1.2", "", "others");
    product.assert_refused("not trusted here");
    let archive = product.publish("0.1.2", "", "own");
    let mut bytes = fs_err::read(&archive).unwrap();
    bytes[100] ^= 1;
    fs_err::write(&archive, bytes).unwrap();
    product.assert_refused("was changed: its digest is");

    // a daemon that does not come up is rolled back, and not tried again
    product.publish("0.1.3", "exit 1", "own");
    product.assert_refused("the restart job of toyd.service ended as failed");
    let said = product.toy("update").ok().unwrap();
    assert!(said.contains("not taken: RolledBackHere"), "{said}");
    assert_eq!(product.running(), "0.1.1");
    assert_eq!(product.child(), child);
}
