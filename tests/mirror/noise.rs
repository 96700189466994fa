//! Random damage: no input makes the installer panic, and whatever it takes is exactly a release.

use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use banger_installer::verify::verify_manifest;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::world::{World, expected, good_archive, tree};

/// Bytes put in other bytes' places.
fn damage() -> impl Strategy<Value = Vec<(Index, u8)>> {
    prop::collection::vec((any::<Index>(), any::<u8>()), 1..6)
}

fn damaged(bytes: &[u8], damage: &[(Index, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (index, byte) in damage {
        let index = index.index(bytes.len());
        bytes[index] = *byte;
    }
    bytes
}

/// Gives the tar headers right sums again, so that damage gets past the first check.
fn mend_sums(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(512) {
        if block[257..262] == *b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

fn tar_of(archive: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    GzDecoder::new(archive).read_to_end(&mut tar).unwrap();
    tar
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Either refused with nothing left, or taken as exactly the expected files with our modes.
fn all_or_nothing(world: &World, archive: &[u8]) {
    world.publish(archive);
    match world.update() {
        Err(stopped) => drop(world.refused(Err(stopped))),
        Ok(unpacked) => {
            let files: Vec<_> = tree(&unpacked)
                .into_iter()
                .filter(|path| !unpacked.join(path).is_dir())
                .collect();
            let wanted: Vec<std::path::PathBuf> = expected()
                .entries()
                .iter()
                .map(|entry| entry.path.clone().into())
                .collect();
            assert_eq!(files, wanted);
            for entry in expected().entries() {
                let found = fs_err::symlink_metadata(unpacked.join(&entry.path)).unwrap();
                assert!(found.is_file());
                assert_eq!(found.permissions().mode() & 0o7777, entry.mode);
            }
            fs_err::remove_dir_all(unpacked).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn damaged_tar_under_a_good_signature(damage in damage()) {
        let world = World::new();
        let mut tar = damaged(&tar_of(&good_archive()), &damage);
        all_or_nothing(&world, &gzip(&tar));
        mend_sums(&mut tar);
        all_or_nothing(&world, &gzip(&tar));
    }

    #[test]
    fn damaged_gzip_under_a_good_signature(damage in damage()) {
        all_or_nothing(&World::new(), &damaged(&good_archive(), &damage));
    }

    #[test]
    fn damaged_manifests_under_a_good_signature(damage in damage()) {
        let world = World::new();
        let bytes = fs_err::read(world.dist.join("manifest.json")).unwrap();
        world.publish_signed_by(&world.keys.join("banger.key"), &damaged(&bytes, &damage));
        if let Ok(unpacked) = world.update() {
            prop_assert!(unpacked.join("bin/banger").is_file());
        }
    }

    #[test]
    fn damaged_signatures(damage in damage()) {
        let world = World::new();
        let bytes = fs_err::read(world.dist.join("manifest.json")).unwrap();
        let good = fs_err::read(world.dist.join("manifest.json.minisig")).unwrap();
        let Ok(text) = String::from_utf8(damaged(&good, &damage)) else {
            return Ok(());
        };
        let outcome = verify_manifest(&bytes, &text, &world.keyring(), &World::expectation());
        if outcome.is_ok() {
            // only the untrusted comment, the first line, is not under the signature
            let rest = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(rest(&text), rest(std::str::from_utf8(&good).unwrap()));
        }
    }

    #[test]
    fn any_text_as_a_signature(text in "(\\PC|\n){0,300}") {
        let world = World::new();
        let bytes = fs_err::read(world.dist.join("manifest.json")).unwrap();
        let outcome = verify_manifest(&bytes, &text, &world.keyring(), &World::expectation());
        prop_assert!(outcome.is_err());
    }
}
