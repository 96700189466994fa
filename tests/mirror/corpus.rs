//! The corpus of the fuzzing, replayed; and a bounded number of random inputs beside it.
//!
//! `BANGER_FUZZ_ROUNDS` sets how many of those, `BANGER_FUZZ_SEED` which.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use banger_fuzz::mutate::Random;
use banger_fuzz::{Check, TARGETS};

/// Random inputs for each target, when nothing else is said.
const ROUNDS: u64 = 500;

fn corpus(target: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap().join("fuzz/corpus").join(target)
}

/// The inputs that are kept for a target, by their names.
fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs_err::read_dir(corpus(target))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs_err::read(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// Runs a check, and says with which input it failed.
fn hold(target: &str, check: Check, name: &str, input: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| check(input)));
    assert!(
        outcome.is_ok(),
        "{target} does not hold for {name}; to keep it, put these bytes into {}: b\"{}\"",
        corpus(target).display(),
        input.escape_ascii()
    );
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}

/// Random damage to what is kept for one target.
#[expect(
    clippy::print_stdout,
    reason = "a helper of tests, which tell how much they tried"
)]
fn damage(name: &str) {
    let (_, check) = TARGETS.into_iter().find(|target| target.0 == name).unwrap();
    let rounds = number("BANGER_FUZZ_ROUNDS").unwrap_or(ROUNDS);
    let seed = number("BANGER_FUZZ_SEED").unwrap_or_else(fresh_seed);
    println!("{name}: {rounds} random inputs, BANGER_FUZZ_SEED={seed}");
    let kept = kept(name);
    let inputs: Vec<&[u8]> = kept.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    let mut random = Random::new(seed);
    for round in 0..rounds {
        let input = random.damaged(&inputs);
        hold(
            name,
            check,
            &format!("input {round} of seed {seed}"),
            &input,
        );
    }
}

/// Another one every time.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

#[test]
fn every_kept_input_holds() {
    for (target, check) in TARGETS {
        let kept = kept(target);
        assert!(!kept.is_empty(), "nothing is kept for {target}");
        for (name, input) in &kept {
            hold(target, check, name, input);
        }
        println!("{target}: {} kept inputs hold", kept.len());
    }
}

#[test]
fn every_target_has_its_program_and_no_corpus_is_left_out() {
    let fuzz = corpus("").join("..");
    let names = |folder: &str| -> Vec<String> {
        let folder = fs_err::read_dir(fuzz.join(folder)).unwrap();
        let mut names: Vec<String> = folder
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        names.sort();
        names
    };
    let mut targets = TARGETS.map(|(name, _)| name);
    targets.sort_unstable();
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("fuzz_targets"), targets);
}

#[test]
fn damaged_manifests_hold() {
    damage("manifest");
}

#[test]
fn damaged_signatures_hold() {
    damage("signature");
}

#[test]
fn damaged_archives_hold() {
    damage("archive");
}

#[test]
fn damaged_configurations_hold() {
    damage("config");
}

#[test]
fn damaged_receipts_hold() {
    damage("receipt");
}

#[test]
fn damaged_unit_files_hold() {
    damage("unit");
}

#[test]
fn damaged_answers_of_firecracker_hold() {
    damage("api");
}

#[test]
fn damaged_varlink_messages_hold() {
    damage("frames");
}
