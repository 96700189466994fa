//! Manifests and signatures that must not be taken.

use std::process::Command;

use banger_installer::error_kind::ErrorKind;
use banger_installer::fetch::{FetchError, host_target};
use banger_installer::model::{Manifest, Version};
use banger_installer::verify::{
    MAX_SEQUENCE_JUMP, SignatureError, VerifyError, check_upgrade, verify_manifest,
};
use jiff::{SignedDuration, Timestamp};

use crate::world::{SEQUENCE, Stopped, World, good_archive, good_manifest, tree};

#[test]
fn a_good_release_from_a_folder_is_taken_whole() {
    let world = World::new();
    let unpacked = world.update().unwrap();
    let found: Vec<_> = tree(&unpacked)
        .into_iter()
        .filter(|path| unpacked.join(path).is_file())
        .map(|path| path.display().to_string())
        .collect();
    let expected: Vec<_> = crate::world::expected()
        .entries()
        .iter()
        .map(|entry| entry.path.clone())
        .collect();
    assert_eq!(found, expected);
    assert_eq!(
        fs_err::read_to_string(unpacked.join("bin/banger")).unwrap(),
        "content of bin/banger\n"
    );
}

#[test]
fn modes_are_ours_and_no_spooled_file_has_a_name() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let unpacked = world.update().unwrap();
    let mode = |path: &str| {
        fs_err::metadata(unpacked.join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    };
    assert_eq!(mode("bin/bangerd"), 0o755);
    assert_eq!(mode("units/banger.slice.in"), 0o644);
    assert_eq!(mode("bin"), 0o755);
    let staging: Vec<_> = fs_err::read_dir(world.staging())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(staging, ["new"]);
}

/// Publishes a changed manifest, correctly signed, and gives the rule that stopped it.
fn stopped_by(change: impl FnOnce(&mut Manifest)) -> VerifyError {
    let world = World::new();
    let mut manifest = good_manifest(&good_archive());
    change(&mut manifest);
    world.publish_manifest(&manifest);
    verify_error(world.refused(world.update()))
}

fn verify_error(stopped: Stopped) -> VerifyError {
    assert_eq!(stopped.kind(), ErrorKind::Refused);
    match stopped {
        Stopped::Verify(error) => {
            assert!(error.hint().is_some(), "{error} has no hint");
            error
        }
        other => panic!("stopped too late: {}", other.shown()),
    }
}

#[test]
fn no_signature() {
    let world = World::new();
    fs_err::remove_file(world.dist.join("manifest.json.minisig")).unwrap();
    let stopped = world.refused(world.update());
    assert_eq!(stopped.kind(), ErrorKind::Refused);
    assert!(
        matches!(&stopped, Stopped::Fetch(FetchError::NoSignature { .. })),
        "{stopped:?}"
    );

    for text in [
        "",
        "untrusted comment: x\n",
        "nothing like it\nat all\n\n\n",
    ] {
        fs_err::write(world.dist.join("manifest.json.minisig"), text).unwrap();
        let error = verify_error(world.refused(world.update()));
        assert!(
            matches!(error, VerifyError::Signature(SignatureError::None { .. })),
            "{error:?}"
        );
    }
}

#[test]
fn the_wrong_key() {
    let world = World::new();
    let strange = world.temp.path().join("strange");
    World::make_key(&strange);
    let bytes = good_manifest(&good_archive()).to_json().unwrap();
    world.publish_signed_by(&strange.join("banger.key"), &bytes);
    let error = verify_error(world.refused(world.update()));
    let VerifyError::Signature(SignatureError::UnknownKey { key, trusted, .. }) = &error else {
        panic!("{error:?}");
    };
    let ours: Vec<_> = world.keyring().ids().collect();
    assert_eq!(*trusted, ours);
    assert!(error.to_string().contains(&key.to_string()), "{error}");
}

#[test]
fn another_key_under_a_trusted_keys_id() {
    let world = World::new();
    let strange = world.temp.path().join("strange");
    World::make_key(&strange);
    let bytes = good_manifest(&good_archive()).to_json().unwrap();
    world.publish_signed_by(&strange.join("banger.key"), &bytes);
    // the id stands in bytes 2 to 10 of the signature; nothing ties it to the key
    let good = fs_err::read_to_string(world.keys.join("banger.pub")).unwrap();
    let path = world.dist.join("manifest.json.minisig");
    let forged = splice_key_id(&fs_err::read_to_string(&path).unwrap(), &good);
    fs_err::write(&path, forged).unwrap();
    let error = verify_error(world.refused(world.update()));
    assert!(
        matches!(
            error,
            VerifyError::Signature(SignatureError::Mismatch { .. })
        ),
        "{error:?}"
    );
}

/// Puts the id of a public key into a signature. Base64 groups of four characters hold three bytes:
/// the id ends in the middle of one, so bytes 9 to 11 are mixed by their bits.
fn splice_key_id(signature: &str, public: &str) -> String {
    let mut lines: Vec<String> = signature.lines().map(Into::into).collect();
    let key = public.lines().nth(1).unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let at = |text: &str, index: usize| alphabet.find(text.as_bytes()[index] as char).unwrap();
    let old = lines[1].clone();
    // character 2 holds the last bits of the algorithm and the first of the id; character 13 the
    // last of the id and the first of the signature
    let second = at(&old, 2) & 0b11_1100 | at(key, 2) & 0b00_0011;
    let last = at(key, 13) & 0b11_0000 | at(&old, 13) & 0b00_1111;
    let letter = |value: usize| &alphabet[value..=value];
    lines[1] = format!(
        "{}{}{}{}{}",
        &old[..2],
        letter(second),
        &key[3..13],
        letter(last),
        &old[14..]
    );
    lines.join("\n") + "\n"
}

#[test]
fn a_legacy_signature_by_the_right_key() {
    let world = World::new();
    let signed = Command::new("minisign")
        .args(["-S", "-l", "-s"])
        .arg(world.keys.join("banger.key"))
        .arg("-m")
        .arg(world.dist.join("manifest.json"))
        .output()
        .expect("minisign is needed: apt-get install minisign");
    assert!(signed.status.success(), "{signed:?}");
    let error = verify_error(world.refused(world.update()));
    assert!(
        matches!(error, VerifyError::Signature(SignatureError::Legacy { .. })),
        "{error:?}"
    );
}

#[test]
fn every_byte_of_the_manifest_is_under_the_signature() {
    let world = World::new();
    let bytes = fs_err::read(world.dist.join("manifest.json")).unwrap();
    let signature = fs_err::read_to_string(world.dist.join("manifest.json.minisig")).unwrap();
    let (keyring, expectation) = (world.keyring(), World::expectation());
    let outcome = |bytes: &[u8]| verify_manifest(bytes, &signature, &keyring, &expectation);
    assert!(outcome(&bytes).is_ok());
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        let error = outcome(&changed).unwrap_err();
        assert!(
            matches!(
                error,
                VerifyError::Signature(SignatureError::Mismatch { .. })
            ),
            "byte {index}: {error:?}"
        );
    }
    for other in [
        &bytes[..bytes.len() - 1],
        &[bytes.as_slice(), b"\n"].concat(),
    ] {
        assert!(matches!(
            outcome(other),
            Err(VerifyError::Signature(SignatureError::Mismatch { .. }))
        ));
    }
}

#[test]
fn a_changed_trusted_comment() {
    let world = World::new();
    let path = world.dist.join("manifest.json.minisig");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text.replace("a test", "a jest")).unwrap();
    let error = verify_error(world.refused(world.update()));
    assert!(
        matches!(
            error,
            VerifyError::Signature(SignatureError::Mismatch { .. })
        ),
        "{error:?}"
    );
}

#[test]
fn another_product() {
    let error = stopped_by(|manifest| manifest.product = "danger".into());
    assert!(
        matches!(&error, VerifyError::OtherProduct { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("danger"), "{error}");
}

#[test]
fn another_channel() {
    let error = stopped_by(|manifest| manifest.channel = "nightly".into());
    assert!(
        matches!(&error, VerifyError::OtherChannel { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("nightly"), "{error}");
}

#[test]
fn another_architecture() {
    let error = stopped_by(|manifest| manifest.artefacts[0].target = "riscv64-plan9".into());
    assert!(
        matches!(&error, VerifyError::NoArtefactForTarget { .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains("riscv64-plan9") && text.contains(host_target()),
        "{text}"
    );
}

#[test]
fn expired() {
    let past = Timestamp::now() - SignedDuration::from_hours(1);
    let error = stopped_by(|manifest| {
        manifest.released = past - SignedDuration::from_hours(1);
        manifest.expires = past;
    });
    assert!(matches!(&error, VerifyError::Expired { .. }), "{error:?}");
}

#[test]
fn expired_by_the_floor_when_the_clock_was_set_back() {
    let world = World::new();
    let bytes = fs_err::read(world.dist.join("manifest.json")).unwrap();
    let signature = fs_err::read_to_string(world.dist.join("manifest.json.minisig")).unwrap();
    let mut expectation = World::expectation();
    expectation.clock_floor = Some(Timestamp::now() + SignedDuration::from_hours(48));
    let error = verify_manifest(&bytes, &signature, &world.keyring(), &expectation).unwrap_err();
    assert!(matches!(error, VerifyError::Expired { .. }), "{error:?}");
}

#[test]
fn an_older_sequence_number() {
    let error = stopped_by(|manifest| manifest.sequence = SEQUENCE - 1);
    assert!(
        matches!(error, VerifyError::Rollback { found, highest, .. }
            if found == SEQUENCE - 1 && highest == SEQUENCE),
        "{error:?}"
    );
}

#[test]
fn an_older_sequence_number_is_taken_when_the_administrator_says_so() {
    let world = World::new();
    let mut manifest = good_manifest(&good_archive());
    manifest.sequence = SEQUENCE - 1;
    world.publish_manifest(&manifest);
    let bytes = fs_err::read(world.dist.join("manifest.json")).unwrap();
    let signature = fs_err::read_to_string(world.dist.join("manifest.json.minisig")).unwrap();
    let mut expectation = World::expectation();
    expectation.allow_downgrade = true;
    let verified = verify_manifest(&bytes, &signature, &world.keyring(), &expectation).unwrap();
    assert_eq!(verified.sequence, SEQUENCE - 1);
    assert_eq!(
        verified.signed_by(),
        world.keyring().ids().collect::<Vec<_>>()
    );
    assert_eq!(verified.bytes(), bytes);
}

#[test]
fn a_sequence_number_from_the_far_future() {
    let error = stopped_by(|manifest| manifest.sequence = SEQUENCE + MAX_SEQUENCE_JUMP + 1);
    assert!(
        matches!(error, VerifyError::SequenceJump { .. }),
        "{error:?}"
    );
    let error = stopped_by(|manifest| manifest.sequence = u64::MAX);
    assert!(
        matches!(error, VerifyError::SequenceJump { .. }),
        "{error:?}"
    );
}

#[test]
fn signed_bytes_that_are_no_manifest() {
    let world = World::new();
    for bytes in [&b"{}"[..], b"", b"[]", b"{\"schema\": 2}", &[0xff; 40]] {
        world.publish_signed_by(&world.keys.join("banger.key"), bytes);
        let error = verify_error(world.refused(world.update()));
        assert!(matches!(error, VerifyError::Manifest(_)), "{error:?}");
    }
}

#[test]
fn an_upgrade_over_a_gap() {
    let mut manifest = good_manifest(&good_archive());
    manifest.artefacts[0].upgrades_from = Version::new(0, 1, 0);
    let check = |installed| check_upgrade(&installed, &manifest.version, &manifest.artefacts[0]);
    assert!(check(Version::new(0, 1, 0)).is_ok());
    let error = check(Version::new(0, 0, 9)).unwrap_err();
    assert_eq!(error.hint(), Some("update to 0.1.0 first".into()));
}
