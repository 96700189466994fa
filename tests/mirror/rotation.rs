//! Keys in two tiers: drills of rotation, revocation and thresholds, from a client's view.

use banger_installer::error_kind::ErrorKind;
use banger_installer::model::{KEY_LIST_SCHEMA, KeyId, KeyList, Manifest, PublicKeyText};
use banger_installer::verify::{
    BuiltInKeys, KeyringError, ListExpectation, ListRefusal, Pinned, SignatureError, Verified,
    VerifyError, verify_manifest,
};
use banger_release::{SigningKey, sign};
use jiff::{SignedDuration, Timestamp};

use crate::world::{World, good_archive, good_manifest, me};

/// A publisher with root keys and signing keys, each with a name.
pub(crate) struct Publisher {
    pub(crate) world: World,
}

impl Publisher {
    pub(crate) fn new(names: &[&str]) -> Self {
        let world = World::new();
        // the publisher's one key of the other tests is not the administrator's here
        fs_err::remove_file(world.host.join("keys.d/banger.pub")).unwrap();
        for name in names {
            World::make_key(&world.temp.path().join(name));
        }
        Self { world }
    }

    pub(crate) fn public(&self, name: &str) -> PublicKeyText {
        let path = self.world.temp.path().join(name).join("banger.pub");
        let text = fs_err::read_to_string(path).unwrap();
        text.lines().nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn id(&self, name: &str) -> KeyId {
        self.public(name).id()
    }

    /// One signature after another, by these keys.
    pub(crate) fn signed(&self, bytes: &[u8], names: &[&str]) -> String {
        let by = |name: &&str| {
            let path = self.world.temp.path().join(name).join("banger.key");
            sign(&SigningKey::load(&path, None).unwrap(), bytes, "a drill").unwrap()
        };
        names.iter().map(by).collect()
    }

    /// A client that was built with these root keys, so many of which must sign.
    pub(crate) fn client(&self, roots: &[&str], threshold: usize) -> Pinned {
        let lines: Vec<_> = roots.iter().map(|name| self.public(name)).collect();
        let lines: Vec<_> = lines.iter().map(PublicKeyText::as_str).collect();
        let built_in = BuiltInKeys {
            roots: &lines.join(","),
            root_threshold: &threshold.to_string(),
            signing: "",
        };
        let host = &self.world.host;
        Pinned::load(&built_in, &host.join("keys.d"), &host.join("roots.d"), me()).unwrap()
    }

    pub(crate) fn list(
        &self,
        sequence: u64,
        threshold: usize,
        keys: &[&str],
        revoked: &[&str],
    ) -> KeyList {
        let released = Timestamp::now();
        KeyList {
            schema: KEY_LIST_SCHEMA,
            product: "banger".into(),
            sequence,
            released,
            expires: released + SignedDuration::from_hours(24),
            threshold,
            keys: keys.iter().map(|name| self.public(name)).collect(),
            revoked: revoked.iter().map(|name| self.id(name)).collect(),
        }
    }

    /// A client is offered a list that `roots` signed.
    fn offer(
        &self,
        client: &Pinned,
        known: Option<&Verified<KeyList>>,
        list: &KeyList,
        roots: &[&str],
    ) -> Result<Verified<KeyList>, ListRefusal> {
        let bytes = list.to_json().unwrap();
        client.verify_list(&bytes, &self.signed(&bytes, roots), known, &expected())
    }

    /// A client with this list is offered a manifest that `signers` signed.
    fn release(
        &self,
        client: &Pinned,
        list: &Verified<KeyList>,
        sequence: u64,
        signers: &[&str],
    ) -> Result<Verified<Manifest>, VerifyError> {
        let mut manifest = good_manifest(&good_archive());
        manifest.sequence = sequence;
        let bytes = manifest.to_json().unwrap();
        let ring = client.keyring(Some(list)).unwrap();
        let text = self.signed(&bytes, signers);
        let expectation = banger_installer::verify::Expectation {
            highest_sequence: 0,
            ..World::expectation()
        };
        verify_manifest(&bytes, &text, &ring, &expectation)
    }
}

pub(crate) fn expected() -> ListExpectation {
    ListExpectation {
        product: "banger".into(),
        now: Timestamp::now(),
        clock_floor: None,
    }
}

/// What is done to a list, and what is said of it.
type Spoil = (fn(&mut KeyList), &'static str);

/// Why a manifest was not believed.
fn distrust(outcome: Result<Verified<Manifest>, VerifyError>) -> SignatureError {
    let error = outcome.expect_err("a manifest was believed");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(
        error
            .hint()
            .is_some_and(|hint| !hint.to_string().is_empty())
    );
    match error {
        VerifyError::Signature(error) => error,
        other => panic!("{other:?}"),
    }
}

fn distrust_list(outcome: Result<Verified<KeyList>, ListRefusal>) -> SignatureError {
    let error = outcome.expect_err("a list was believed");
    assert_eq!(error.kind(), ErrorKind::Refused);
    match error {
        ListRefusal::Signature(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_old_client_learns_a_new_key_from_the_list_alone() {
    let publisher = Publisher::new(&["root", "spare", "old", "new"]);
    let client = publisher.client(&["root", "spare"], 1);
    let first = publisher.list(1, 1, &["old"], &[]);
    let first = publisher.offer(&client, None, &first, &["root"]).unwrap();
    publisher.release(&client, &first, 1, &["old"]).unwrap();
    let error = distrust(publisher.release(&client, &first, 2, &["new"]));
    let SignatureError::UnknownKey { key, trusted, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(key, publisher.id("new"));
    assert_eq!(trusted, [publisher.id("old")]);

    // the other root key is as good, should the first be lost
    let second = publisher.list(2, 1, &["new"], &[]);
    let second = publisher
        .offer(&client, Some(&first), &second, &["spare"])
        .unwrap();
    publisher.release(&client, &second, 2, &["new"]).unwrap();
    let error = distrust(publisher.release(&client, &second, 2, &["old"]));
    assert!(
        matches!(error, SignatureError::UnknownKey { .. }),
        "{error}"
    );
    // a release for clients of both lists bears both signatures
    for list in [&first, &second] {
        publisher
            .release(&client, list, 3, &["old", "new"])
            .unwrap();
    }
}

#[test]
fn a_revoked_key_counts_nowhere() {
    let publisher = Publisher::new(&["root", "spare", "stolen", "new"]);
    let client = publisher.client(&["root", "spare"], 1);
    let list = publisher.list(2, 1, &["new"], &["stolen"]);
    let list = publisher.offer(&client, None, &list, &["root"]).unwrap();
    let error = distrust(publisher.release(&client, &list, 9, &["stolen"]));
    assert!(
        matches!(error, SignatureError::Revoked { key, .. } if key == publisher.id("stolen")),
        "{error:?}"
    );
    // nor does it count towards a threshold, nor when the administrator once took it in
    let host = &publisher.world.host;
    let stolen = publisher.world.temp.path().join("stolen/banger.pub");
    fs_err::copy(stolen, host.join("keys.d/stolen.pub")).unwrap();
    let client = publisher.client(&["root", "spare"], 1);
    let error = distrust(publisher.release(&client, &list, 9, &["stolen"]));
    assert!(matches!(error, SignatureError::Revoked { .. }), "{error:?}");
    publisher
        .release(&client, &list, 9, &["stolen", "new"])
        .unwrap();
    let ids: Vec<_> = client.keyring(Some(&list)).unwrap().ids().collect();
    assert_eq!(ids, [publisher.id("new")]);
}

#[test]
fn a_root_key_that_was_revoked_signs_no_other_list() {
    let publisher = Publisher::new(&["root", "spare", "old"]);
    let client = publisher.client(&["root", "spare"], 1);
    let first = publisher.list(1, 1, &["old"], &["root"]);
    let first = publisher.offer(&client, None, &first, &["spare"]).unwrap();
    let thief = publisher.list(2, 1, &["old"], &[]);
    let error = distrust_list(publisher.offer(&client, Some(&first), &thief, &["root"]));
    assert!(matches!(error, SignatureError::Revoked { .. }), "{error:?}");
    let second = publisher.list(2, 1, &["old"], &["root"]);
    publisher
        .offer(&client, Some(&first), &second, &["spare"])
        .unwrap();
}

#[test]
fn a_root_key_signs_no_manifest_and_a_signing_key_no_list() {
    let publisher = Publisher::new(&["root", "spare", "signing"]);
    let client = publisher.client(&["root", "spare"], 1);
    let list = publisher.list(1, 1, &["signing"], &[]);
    let error = distrust_list(publisher.offer(&client, None, &list, &["signing"]));
    assert!(
        matches!(error, SignatureError::UnknownKey { .. }),
        "{error:?}"
    );
    let list = publisher.offer(&client, None, &list, &["root"]).unwrap();
    let error = distrust(publisher.release(&client, &list, 1, &["root"]));
    assert!(
        matches!(
            error,
            SignatureError::OtherRole {
                may: "lists of keys",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("lists of keys only"), "{error}");

    // the administrator's own key is no root key either
    let own = publisher.world.temp.path().join("signing/banger.pub");
    fs_err::copy(own, publisher.world.host.join("keys.d/own.pub")).unwrap();
    let client = publisher.client(&["root", "spare"], 1);
    let list = publisher.list(2, 1, &["signing"], &[]);
    let error = distrust_list(publisher.offer(&client, None, &list, &["signing"]));
    assert!(
        matches!(
            error,
            SignatureError::OtherRole {
                may: "manifests",
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn two_of_three_must_sign_and_one_key_is_one_however_often_it_signs() {
    let publisher = Publisher::new(&["root", "spare", "third", "a", "b", "c", "stranger"]);
    let client = publisher.client(&["root", "spare", "third"], 2);
    let list = publisher.list(1, 2, &["a", "b", "c"], &[]);
    for too_few in [&["root"][..], &["root", "root"], &["root", "stranger"]] {
        let error = distrust_list(publisher.offer(&client, None, &list, too_few));
        assert!(
            matches!(
                error,
                SignatureError::TooFew {
                    found: 1,
                    needed: 2,
                    ..
                }
            ),
            "{too_few:?}: {error:?}"
        );
    }
    let list = publisher
        .offer(&client, None, &list, &["third", "root"])
        .unwrap();
    for too_few in [&["a"][..], &["b", "b"], &["c", "stranger", "root"]] {
        let error = distrust(publisher.release(&client, &list, 1, too_few));
        assert!(
            matches!(
                error,
                SignatureError::TooFew {
                    found: 1,
                    needed: 2,
                    ..
                }
            ),
            "{too_few:?}: {error:?}"
        );
        assert!(error.to_string().contains("1 of the keys"), "{error}");
    }
    let signed = publisher.release(&client, &list, 1, &["c", "a"]).unwrap();
    assert_eq!(signed.signed_by(), [publisher.id("c"), publisher.id("a")]);
    publisher
        .release(&client, &list, 1, &["a", "stranger", "b"])
        .unwrap();
}

#[test]
fn one_bad_signature_under_a_known_name_spoils_all() {
    let publisher = Publisher::new(&["root", "spare", "a", "b"]);
    let client = publisher.client(&["root", "spare"], 1);
    let list = publisher.list(1, 1, &["a", "b"], &[]);
    let list = publisher.offer(&client, None, &list, &["root"]).unwrap();
    let bytes = good_manifest(&good_archive()).to_json().unwrap();
    let text = publisher.signed(&bytes, &["a"]) + &publisher.signed(b"other", &["b"]);
    let ring = client.keyring(Some(&list)).unwrap();
    let outcome = verify_manifest(&bytes, &text, &ring, &World::expectation());
    let error = distrust(outcome);
    assert!(
        matches!(error, SignatureError::Mismatch { key, .. } if key == publisher.id("b")),
        "{error:?}"
    );
    // and so does a file with a torn signature, or with more than anyone writes
    let whole = publisher.signed(&bytes, &["a", "b"]);
    let torn = whole.lines().take(7).collect::<Vec<_>>().join("\n");
    let error = distrust(verify_manifest(&bytes, &torn, &ring, &World::expectation()));
    assert!(matches!(error, SignatureError::None { .. }), "{error:?}");
    let many = publisher.signed(&bytes, &["a"; 9]);
    let error = distrust(verify_manifest(&bytes, &many, &ring, &World::expectation()));
    assert!(matches!(error, SignatureError::TooMany { .. }), "{error:?}");
}

#[test]
fn an_old_an_expired_a_forked_and_a_strange_list_are_refused() {
    let publisher = Publisher::new(&["root", "spare", "a", "b"]);
    let client = publisher.client(&["root", "spare"], 1);
    let known = publisher.list(5, 1, &["a"], &[]);
    let known = publisher.offer(&client, None, &known, &["root"]).unwrap();
    // what is served again and again is what is known
    publisher
        .offer(&client, Some(&known), &known, &["root"])
        .unwrap();
    let cases: [Spoil; 4] = [
        (|list| list.sequence = 4, "older than what was seen"),
        (|list| list.threshold = 2, "two different lists"),
        (|list| list.product = "other".into(), "is of \"other\""),
        (
            |list| {
                list.sequence = 6;
                list.expires = list.released + SignedDuration::from_secs(1);
                list.released -= SignedDuration::from_hours(1);
                list.expires -= SignedDuration::from_hours(1);
            },
            "expired",
        ),
    ];
    for (spoil, what) in cases {
        let mut list = KeyList {
            keys: vec![publisher.public("a"), publisher.public("b")],
            ..(*known).clone()
        };
        spoil(&mut list);
        let error = publisher
            .offer(&client, Some(&known), &list, &["root"])
            .unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.hint().is_some(), "{error}");
    }
    let floor = ListExpectation {
        clock_floor: Some(Timestamp::now() + SignedDuration::from_hours(48)),
        ..expected()
    };
    let bytes = known.bytes();
    let text = publisher.signed(bytes, &["root"]);
    let error = client.verify_list(bytes, &text, None, &floor).unwrap_err();
    assert!(matches!(error, ListRefusal::Expired { .. }), "{error}");
}

#[test]
fn with_root_keys_a_list_is_wanted_unless_the_administrator_has_a_key() {
    let publisher = Publisher::new(&["root", "spare", "own", "signing"]);
    let client = publisher.client(&["root", "spare"], 1);
    assert!(client.wants_list());
    let error = client.keyring(None).unwrap_err();
    assert!(matches!(error, KeyringError::NoList), "{error}");
    assert!(error.hint().unwrap().to_string().contains("keys.json"));

    let own = publisher.world.temp.path().join("own/banger.pub");
    fs_err::copy(own, publisher.world.host.join("keys.d/own.pub")).unwrap();
    let client = publisher.client(&["root", "spare"], 2);
    let ring = client.keyring(None).unwrap();
    assert_eq!(ring.ids().collect::<Vec<_>>(), [publisher.id("own")]);
    // the administrator's key is enough, whatever the publisher's threshold
    let list = publisher.list(1, 2, &["signing", "root"], &[]);
    let list = publisher
        .offer(&client, None, &list, &["root", "spare"])
        .unwrap();
    publisher.release(&client, &list, 1, &["own"]).unwrap();
    let error = distrust(publisher.release(&client, &list, 1, &["signing"]));
    assert!(matches!(error, SignatureError::TooFew { .. }), "{error:?}");
}

#[test]
fn a_threshold_that_cannot_be_met_is_refused_where_it_is_built_in() {
    let publisher = Publisher::new(&["root"]);
    let folder = publisher.world.host.join("keys.d");
    for text in ["0", "2", "-1", "two"] {
        let root = publisher.public("root");
        let built_in = BuiltInKeys {
            roots: root.as_str(),
            root_threshold: text,
            signing: "",
        };
        let error = Pinned::load(&built_in, &folder, &folder, me()).unwrap_err();
        assert!(matches!(error, KeyringError::Threshold { .. }), "{error}");
    }
}
