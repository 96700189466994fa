//! What a client remembers of releases and keys, and what an exchange of keys does to it.

use banger_installer::fetch::Transport;
use banger_installer::model::{AntiRollbackState, KeyList};
use banger_installer::verify::{
    Expectation, KeyringError, ListExpectation, ListRefusal, Memory, Trust, verify_manifest,
};
use jiff::{SignedDuration, Timestamp};

use crate::rotation::{Publisher, expected};
use crate::world::{SEQUENCE, World, good_archive, good_manifest, source_of};

/// A client whose record is `seen`, after it was offered this list.
fn trust(publisher: &Publisher, seen: &AntiRollbackState, list: &KeyList) -> Trust {
    let mut trust = Trust::new(publisher.client(&["root", "spare"], 1), seen.clone());
    let bytes = list.to_json().unwrap();
    let signature = publisher.signed(&bytes, &["root"]);
    trust
        .take_list(Some((&bytes, &signature)), &expected())
        .unwrap();
    trust
}

/// The client believes a manifest, and remembers.
fn believe(
    publisher: &Publisher,
    trust: &Trust,
    sequence: u64,
    by: &str,
) -> Option<AntiRollbackState> {
    let mut manifest = good_manifest(&good_archive());
    manifest.sequence = sequence;
    manifest.released = "2026-11-01T00:00:00Z".parse().unwrap();
    let bytes = manifest.to_json().unwrap();
    let ring = trust.keyring().unwrap();
    let memory = trust.memory("stable", None, &ring);
    let expectation = World::expectation().remembering(&memory, None);
    let expectation = Expectation {
        allow_downgrade: true,
        ..expectation
    };
    let text = publisher.signed(&bytes, &[by]);
    let verified = verify_manifest(&bytes, &text, &ring, &expectation).unwrap();
    trust.record(&memory, &verified)
}

fn highest(trust: &Trust) -> u64 {
    let ring = trust.keyring().unwrap();
    trust.memory("stable", None, &ring).sequence
}

#[test]
fn a_stolen_key_cannot_burn_the_numbers_for_ever() {
    let publisher = Publisher::new(&["root", "spare", "stolen", "new"]);
    let first = publisher.list(1, 1, &["stolen"], &[]);
    let thief = trust(&publisher, &AntiRollbackState::default(), &first);
    let seen = believe(&publisher, &thief, u64::MAX, "stolen").unwrap();
    // remembered, it holds, and seen again it says nothing new
    let burnt = Trust::new(publisher.client(&["root", "spare"], 1), seen.clone());
    assert_eq!(highest(&burnt), u64::MAX);
    assert_eq!(believe(&publisher, &burnt, u64::MAX, "stolen"), None);

    let second = publisher.list(2, 1, &["new"], &["stolen"]);
    let rotated = trust(&publisher, &seen, &second);
    assert_eq!(highest(&rotated), 0);
    let seen = believe(&publisher, &rotated, SEQUENCE, "new").unwrap();
    assert_eq!(seen.channels["stable"].signed_by, [publisher.id("new")]);
    let later = Trust::new(publisher.client(&["root", "spare"], 1), seen);
    assert_eq!(highest(&later), SEQUENCE);
}

#[test]
fn the_number_grows_and_never_falls_while_its_signers_are_trusted() {
    let publisher = Publisher::new(&["root", "spare", "a", "b"]);
    let list = publisher.list(1, 1, &["a", "b"], &[]);
    let mut seen = AntiRollbackState::default();
    for (sequence, by, expected) in [(7, "a", 7), (9, "b", 9), (8, "a", 9)] {
        let client = trust(&publisher, &seen, &list);
        seen = believe(&publisher, &client, sequence, by).unwrap_or(seen);
        let client = Trust::new(publisher.client(&["root", "spare"], 1), seen.clone());
        assert_eq!(highest(&client), expected);
    }
    assert_eq!(seen.channels["stable"].signed_by, [publisher.id("b")]);
}

#[test]
fn the_list_that_was_seen_is_remembered_and_an_older_one_refused() {
    let publisher = Publisher::new(&["root", "spare", "stolen", "new"]);
    let second = publisher.list(2, 1, &["new"], &["stolen"]);
    let client = trust(&publisher, &AntiRollbackState::default(), &second);
    let seen = believe(&publisher, &client, 1, "new").unwrap();

    let mut client = Trust::new(publisher.client(&["root", "spare"], 1), seen.clone());
    // a source that hides the list changes nothing, one that serves the old one is refused
    client.take_list(None, &expected()).unwrap();
    let ids: Vec<_> = client.keyring().unwrap().ids().collect();
    assert_eq!(ids, [publisher.id("new")]);
    let first = publisher.list(1, 1, &["stolen"], &[]).to_json().unwrap();
    let signature = publisher.signed(&first, &["root"]);
    let error = client
        .take_list(Some((&first, &signature)), &expected())
        .unwrap_err();
    assert!(
        matches!(error, ListRefusal::Rollback { found: 1, known: 2 }),
        "{error}"
    );
    // hidden for ever, it expires
    let late = ListExpectation {
        now: Timestamp::now() + SignedDuration::from_hours(48),
        ..expected()
    };
    let error = client.take_list(None, &late).unwrap_err();
    assert!(matches!(error, ListRefusal::Expired { .. }), "{error}");

    // a record that somebody changed is no record: the root keys do not vouch for it
    let mut forged = seen;
    let keys = forged.keys.as_mut().unwrap();
    keys.text = keys.text.replace("\"sequence\": 2", "\"sequence\": 9");
    let client = Trust::new(publisher.client(&["root", "spare"], 1), forged);
    assert!(matches!(client.keyring(), Err(KeyringError::NoList)));
}

#[test]
fn the_clocks_floor_is_the_latest_of_what_was_seen_and_of_when_the_program_was_built() {
    let now = Timestamp::now();
    let later = now + SignedDuration::from_hours(48);
    let seen = |released| Memory {
        sequence: 0,
        released,
    };
    for (memory, built, floor) in [
        (seen(None), None, None),
        (seen(None), Some(later), Some(later)),
        (seen(Some(later)), None, Some(later)),
        (seen(Some(now)), Some(later), Some(later)),
        (seen(Some(later)), Some(now), Some(later)),
    ] {
        let expectation = World::expectation().remembering(&memory, built);
        assert_eq!(expectation.clock_floor, floor);
        // a clock that was set back does not make an old release the newest
        let world = World::new();
        let source = source_of(world.dist.to_str().unwrap());
        let outcome = world.update_from(&source, &Transport::system(), &expectation);
        if floor.is_none() {
            outcome.unwrap();
        } else {
            let said = world.refused(outcome).shown();
            assert!(said.contains("expired"), "{said}");
        }
    }
}
