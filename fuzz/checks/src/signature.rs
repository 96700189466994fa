//! Signatures: nothing but the one signed thing, under its own signature, is ever believed.
//!
//! The keys that signed the fixtures are gone, so that nobody can sign another.

use std::path::Path;

use banger_installer::model::KeyList;
use banger_installer::verify::{
    BuiltInKeys, Expectation, Keyring, ListExpectation, Pinned, VerifyError, verify_manifest,
};
use jiff::Timestamp;

use crate::{shown, way};

/// A release's manifest.
pub const MANIFEST: &[u8] = include_bytes!("../fixtures/manifest.json");
/// Its signature, by the signing key.
pub const MANIFEST_SIGNATURE: &str = include_str!("../fixtures/manifest.json.minisig");
/// A list of keys, which names the signing key.
pub const LIST: &[u8] = include_bytes!("../fixtures/keys.json");
/// Its signatures, by both root keys.
pub const LIST_SIGNATURES: &str = include_str!("../fixtures/keys.json.minisig");
const SIGNING_KEY: &str = include_str!("../fixtures/signing.pub");
const ROOT_KEYS: [&str; 2] = [
    include_str!("../fixtures/root-a.pub"),
    include_str!("../fixtures/root-b.pub"),
];
/// Lines of one signature.
const LINES: usize = 4;

/// Takes the bytes for a signature file, for what it signs, or for both with a NUL between them; or
/// for a list of keys without one.
pub fn check(bytes: &[u8]) {
    let Some((way, rest)) = way(bytes, 7) else {
        return;
    };
    let (first, second) = rest
        .iter()
        .position(|byte| *byte == 0)
        .map_or((rest, &[][..]), |nul| (&rest[..nul], &rest[nul + 1..]));
    match way {
        0 => with_text(rest, |text| manifest(MANIFEST, text)),
        1 => manifest(rest, MANIFEST_SIGNATURE),
        2 => with_text(first, |text| manifest(second, text)),
        3 => with_text(rest, |text| list(LIST, text)),
        4 => list(rest, LIST_SIGNATURES),
        5 => with_text(first, |text| list(second, text)),
        _ => list_round_trip(rest),
    }
}

/// Signature files are read as text; bytes that are none are refused before they come here.
fn with_text(bytes: &[u8], judge: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        judge(text);
    }
}

fn manifest(bytes: &[u8], signature: &str) {
    let keyring = Keyring::load(line(SIGNING_KEY), Path::new(""), 0).unwrap();
    let expectation = Expectation {
        product: "banger".into(),
        target: "x86_64-unknown-linux-gnu".into(),
        channel: "beta".into(),
        version: None,
        highest_sequence: 1,
        now: moment(),
        clock_floor: None,
        allow_downgrade: false,
    };
    match verify_manifest(bytes, signature, &keyring, &expectation) {
        Ok(verified) => {
            assert_eq!(
                bytes, MANIFEST,
                "a manifest that nobody signed was believed"
            );
            assert_eq!(verified.bytes(), MANIFEST);
            assert!(
                verified
                    .signed_by()
                    .iter()
                    .eq(keyring.ids().collect::<Vec<_>>().iter())
            );
            assert_holds(signature, MANIFEST_SIGNATURE);
        }
        Err(error) => {
            if let VerifyError::Signature(_) = error {
                assert!(
                    bytes != MANIFEST || signature != MANIFEST_SIGNATURE,
                    "the good one was refused: {error}"
                );
            } else {
                panic!("looked into without a signature: {error}");
            }
            shown(&error);
        }
    }
}

fn list(bytes: &[u8], signatures: &str) {
    let roots = ROOT_KEYS.map(line).join(",");
    let built_in = BuiltInKeys {
        roots: &roots,
        root_threshold: "2",
        signing: "",
    };
    let pinned = Pinned::load(&built_in, Path::new(""), Path::new(""), 0).unwrap();
    let expectation = ListExpectation {
        product: "banger".into(),
        now: moment(),
        clock_floor: None,
    };
    match pinned.verify_list(bytes, signatures, None, &expectation) {
        Ok(verified) => {
            assert_eq!(bytes, LIST, "a list that nobody signed was believed");
            assert_eq!(verified.signed_by().len(), ROOT_KEYS.len());
            assert_holds(signatures, LIST_SIGNATURES);
            pinned.keyring(Some(&verified)).unwrap();
        }
        Err(error) => shown(&error),
    }
}

fn list_round_trip(bytes: &[u8]) {
    let list = match KeyList::from_json(bytes) {
        Ok(list) => list,
        Err(error) => return shown(&error),
    };
    let written = list.to_json().expect("what was taken can be written");
    assert_eq!(list, KeyList::from_json(&written).unwrap());
}

/// Every good signature must stand in the file, all of it but the untrusted comment.
fn assert_holds(text: &str, good: &str) {
    let signatures = |text: &str| -> Vec<Vec<String>> {
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let signed = |lines: &[&str]| lines.iter().skip(1).map(ToString::to_string).collect();
        lines.chunks(LINES).map(signed).collect()
    };
    let found = signatures(text);
    for wanted in signatures(good) {
        assert!(found.contains(&wanted), "{text:?} was believed");
        // one in the same key's name that does not hold spoils the good one beside it
        let others = found.iter().filter(|other| named(other) == named(&wanted));
        assert!(others.eq(found.iter().filter(|other| **other == wanted)));
    }
}

/// The key that a signature names: behind the algorithm's two bytes, in base64.
fn named(signature: &[String]) -> Option<&str> {
    signature.first()?.trim().get(3..13)
}

/// The key in a `.pub` file.
fn line(file: &str) -> &str {
    file.lines().nth(1).unwrap()
}

/// A time at which the fixtures hold.
fn moment() -> Timestamp {
    "2026-12-01T00:00:00Z".parse().unwrap()
}
