//! The first step of an update: from sources to a candidate, and what is remembered on the way.

use std::cell::RefCell;

use banger_installer::model::{
    AntiRollbackState, KeyList, Product, PublicKeyText, Receipt, SignedText,
};
use banger_installer::plan::Decision;
use banger_installer::toolkit::ToolkitError;
use banger_installer::updater::{Candidate, ReleaseMemory, UpdateError, Updater};
use banger_installer::verify::BuiltInKeys;
use jiff::Timestamp;

use crate::rotation::Publisher;
use crate::world::{SEQUENCE, good_archive, good_manifest};

/// A host that notes what it is told to remember, in order, and may be unable to.
struct Noted {
    installed: &'static str,
    /// What it cannot remember: `keys`, or `manifest`.
    refuses: &'static str,
    told: RefCell<Vec<&'static str>>,
}

impl Noted {
    fn new(installed: &'static str, refuses: &'static str) -> Self {
        Self {
            installed,
            refuses,
            told: RefCell::default(),
        }
    }

    fn note(&self, what: &'static str) -> Result<(), ToolkitError> {
        self.told.borrow_mut().push(what);
        if what == self.refuses {
            return Err(ToolkitError::NoRecord {
                path: "/nowhere".into(),
            });
        }
        Ok(())
    }
}

impl ReleaseMemory for Noted {
    fn receipt(&self) -> Result<Receipt, ToolkitError> {
        let text = format!(
            r#"{{"schema":1,"owner":{{"user":"alice","uid":1000,"gid":1000,"home":"/home/alice"}},
                "version":"{}","channel":"stable","method":"self","highest_sequence":7,
                "installed":"2026-11-01T00:00:00Z"}}"#,
            self.installed
        );
        Ok(Receipt::from_json(text.as_bytes()).unwrap())
    }

    fn seen(&self) -> Result<AntiRollbackState, ToolkitError> {
        Ok(AntiRollbackState::default())
    }

    fn remember_keys(&self, keys: &SignedText) -> Result<(), ToolkitError> {
        KeyList::from_json(keys.text.as_bytes()).unwrap();
        self.note("keys")
    }

    fn remember(&self, seen: &AntiRollbackState) -> Result<(), ToolkitError> {
        assert_eq!(seen.channels["stable"].sequence, SEQUENCE);
        self.note("manifest")
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A publisher whose list names the key `new` and revokes `stolen`, and whose release 0.1.1 `signer`
/// signed.
struct Offered {
    publisher: Publisher,
    root: PublicKeyText,
    product: Product,
}

impl Offered {
    fn signed_by(signer: &str) -> Self {
        let publisher = Publisher::new(&["root", "new", "stolen"]);
        let dist = publisher.world.dist.clone();
        let write = |name: &str, bytes: &[u8], key: &str| {
            fs_err::write(dist.join(name), bytes).unwrap();
            let signature = publisher.signed(bytes, &[key]);
            fs_err::write(dist.join(format!("{name}.minisig")), signature).unwrap();
        };
        let list = publisher.list(1, 1, &["new"], &["stolen"]);
        write("keys.json", &list.to_json().unwrap(), "root");
        let manifest = good_manifest(&good_archive());
        write("manifest.json", &manifest.to_json().unwrap(), signer);
        let mut product = banger_cli::product::product().unwrap();
        product.layout = product.layout.beneath(&publisher.world.host);
        let root = publisher.public("root");
        Self {
            publisher,
            root,
            product,
        }
    }

    fn check(&self, memory: &Noted) -> Result<Candidate<'_>, UpdateError> {
        let keys = BuiltInKeys {
            roots: self.root.as_str(),
            ..BuiltInKeys::default()
        };
        let source = self.publisher.world.dist.to_str().unwrap().to_owned();
        Updater::new(&self.product)
            .keys(keys)
            .from(&[source])
            .check(memory)
    }
}

#[test]
fn a_candidate_says_what_is_to_be_done_about_it_and_was_remembered() {
    let offered = Offered::signed_by("new");
    for (installed, decision) in [
        ("0.1.0", Decision::Take),
        ("0.1.1", Decision::Installed),
        ("0.1.2", Decision::Older),
    ] {
        let memory = Noted::new(installed, "");
        let candidate = offered.check(&memory).unwrap();
        assert_eq!(*candidate.decision(), decision, "{installed}");
        assert_eq!(candidate.installed().version.to_string(), installed);
        assert_eq!(candidate.manifest().version.to_string(), "0.1.1");
        assert_eq!(*memory.told.borrow(), ["keys", "manifest"]);
    }
}

#[test]
fn keys_are_remembered_whatever_the_manifest_is_that_came_with_them() {
    let memory = Noted::new("0.1.0", "");
    let refused = Offered::signed_by("stolen");
    let refused = refused.check(&memory).expect_err("a thief was believed");
    assert!(refused.to_string().contains("revoked"), "{refused}");
    assert_eq!(*memory.told.borrow(), ["keys"]);
}

#[test]
fn what_cannot_be_remembered_is_not_acted_upon() {
    let offered = Offered::signed_by("new");
    for refuses in ["keys", "manifest"] {
        let memory = Noted::new("0.1.0", refuses);
        let refused = offered.check(&memory).expect_err(refuses);
        assert!(matches!(refused, UpdateError::Host(_)), "{refused:?}");
    }
}
