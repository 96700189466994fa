//! Archives that must not be unpacked, though a trusted key signed each of them.

use std::io::Write as _;

use banger_installer::error_kind::ErrorKind;
use banger_installer::fetch::{FetchError, UnpackError};
use banger_release::archive;
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

use crate::world::{Stopped, World, archive_name, good_archive, good_files, good_manifest};

/// Signs and serves an archive, tries to update, and gives the rule that stopped it.
fn refused(archive: &[u8]) -> UnpackError {
    let world = World::new();
    world.publish(archive);
    let stopped = world.refused(world.update());
    assert_eq!(stopped.kind(), ErrorKind::Refused, "{}", stopped.shown());
    match stopped {
        Stopped::Unpack(error) => {
            assert!(error.hint().is_some(), "{error} has no hint");
            error
        }
        other => panic!("stopped for another reason: {}", other.shown()),
    }
}

/// A good release's tar with one more entry, first or last, as raw bytes.
pub(crate) fn with_entry(header: &Header, content: &[u8], first: bool) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    if first {
        tar.append(header, content).unwrap();
    }
    for file in good_files() {
        tar.append(
            &header_of(
                &file.path,
                file.mode,
                EntryType::Regular,
                file.content.len(),
            ),
            file.content.as_slice(),
        )
        .unwrap();
    }
    if !first {
        tar.append(header, content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// A header whose name is written as it is: `set_path` would refuse the names we are after.
pub(crate) fn header_of(name: &str, mode: u32, kind: EntryType, size: usize) -> Header {
    let mut header = Header::new_ustar();
    header.as_ustar_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    header
}

/// Every type of entry but a regular file, by the byte as it stands in the header (the library would
/// write another for the old NUL), and the word that names it.
pub(crate) const OTHER_KINDS: [(u8, &str); 14] = [
    (b'1', "hard link"),
    (b'2', "symbolic link"),
    (b'3', "character device"),
    (b'4', "block device"),
    (b'5', "folder"),
    (b'6', "FIFO"),
    (b'7', "special type"),
    (b'L', "GNU long name"),
    (b'K', "GNU long name"),
    (b'S', "sparse file"),
    (b'g', "pax header"),
    (b'x', "pax header"),
    (0, "old or special type"),
    (b'Z', "'Z'"),
];

#[test]
fn every_other_type_of_entry_under_a_good_name_and_under_a_strange_one() {
    for (kind, word) in OTHER_KINDS {
        for name in ["bin/banger", "strange"] {
            let mut header = header_of(name, 0o644, EntryType::Regular, 0);
            if matches!(kind, b'1' | b'2') {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.as_old_mut().linkflag = [kind];
            header.set_cksum();
            for first in [true, false] {
                let error = refused(&with_entry(&header, b"", first));
                assert!(
                    matches!(error, UnpackError::Kind { .. }),
                    "{kind}: {error:?}"
                );
                let text = error.to_string();
                assert!(text.contains(word) && text.contains(name), "{text}");
            }
        }
    }
}

#[test]
fn long_names_that_lead_to_an_allowed_name_are_refused_all_the_same() {
    let content = b"bin/banger\0";
    let gnu = header_of(
        "././@LongLink",
        0o644,
        EntryType::GNULongName,
        content.len(),
    );
    let error = refused(&with_entry(&gnu, content, true));
    assert!(matches!(error, UnpackError::Kind { .. }), "{error:?}");
    let record = b"19 path=bin/banger\n";
    let pax = header_of("PaxHeaders/x", 0o644, EntryType::XHeader, record.len());
    let error = refused(&with_entry(&pax, record, true));
    assert!(matches!(error, UnpackError::Kind { .. }), "{error:?}");
}

#[test]
fn names_that_lead_elsewhere() {
    for name in [
        "/etc/cron.d/banger",
        "../../../etc/cron.d/banger",
        "bin/../../x",
        "./bin/banger",
        "bin//banger",
        "bin/banger/",
        "bin/banger ",
        "BIN/banger",
        "bin/extra",
        "units/other.service.in",
        "bin\\banger",
        "b\u{131}n/banger",
    ] {
        let header = header_of(name, 0o644, EntryType::Regular, 1);
        let error = refused(&with_entry(&header, b"x", true));
        assert!(
            matches!(&error, UnpackError::Unexpected { .. }),
            "{name}: {error:?}"
        );
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
}

#[test]
fn a_name_twice() {
    let header = header_of("bin/banger", 0o755, EntryType::Regular, 4);
    let error = refused(&with_entry(&header, b"evil", false));
    assert!(
        matches!(&error, UnpackError::Twice { name } if name == "bin/banger"),
        "{error:?}"
    );
}

#[test]
fn a_name_that_is_missing() {
    for missing in 0..good_files().len() {
        let mut files = good_files();
        let path = files.remove(missing).path;
        let error = refused(&archive::write(files, 0).unwrap());
        assert!(
            matches!(&error, UnpackError::Missing { names } if *names == [path.clone()]),
            "{path}: {error:?}"
        );
    }
    let error = refused(&archive::write(Vec::new(), 0).unwrap());
    assert!(
        matches!(&error, UnpackError::Missing { names } if names.len() == good_files().len()),
        "{error:?}"
    );
}

#[test]
fn setuid_setgid_and_sticky_bits() {
    for bits in [0o4000, 0o2000, 0o1000] {
        let mut files = good_files();
        files[0].mode |= bits;
        let error = refused(&archive::write(files, 0).unwrap());
        assert!(
            matches!(error, UnpackError::SpecialBits { .. }),
            "{bits:o}: {error:?}"
        );
    }
}

#[test]
fn bytes_after_the_gzip_member() {
    let error = refused(&[good_archive().as_slice(), b"x"].concat());
    assert!(matches!(error, UnpackError::Trailing { .. }), "{error:?}");
}

#[test]
fn a_second_gzip_member() {
    let error = refused(&[good_archive(), good_archive()].concat());
    assert!(matches!(error, UnpackError::Trailing { .. }), "{error:?}");
    // an empty one as well
    let empty = GzEncoder::new(Vec::new(), Compression::fast())
        .finish()
        .unwrap();
    let error = refused(&[good_archive(), empty].concat());
    assert!(matches!(error, UnpackError::Trailing { .. }), "{error:?}");
}

/// The good tar archive with more bytes in the same gzip member.
pub(crate) fn with_tail(tail: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(good_archive().as_slice()),
        &mut tar,
    )
    .unwrap();
    tar.extend_from_slice(tail);
    compress(&tar)
}

pub(crate) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn bytes_after_the_tar_archive() {
    for tail in [b"x".to_vec(), vec![0, 0, 1], vec![0; 20 * 1024]] {
        let error = refused(&with_tail(&tail));
        assert!(matches!(error, UnpackError::Trailing { .. }), "{error:?}");
    }
}

#[test]
fn padding_that_other_writers_leave_is_taken() {
    let world = World::new();
    world.publish(&with_tail(&[0; 8 * 1024]));
    world.update().unwrap();
}

#[test]
fn a_file_beyond_the_cap() {
    let mut files = good_files();
    files[0].content = vec![7; 64 * 1024 + 1];
    let error = refused(&archive::write(files, 0).unwrap());
    assert!(
        matches!(error, UnpackError::EntryTooLarge { limit, .. } if limit == 64 * 1024),
        "{error:?}"
    );
    // a size of the far side, in the base-256 form of GNU tar, with nothing behind it
    let mut header = header_of("bin/banger", 0o755, EntryType::Regular, 0);
    header.set_size(u64::MAX / 2);
    header.set_cksum();
    let error = refused(&with_entry(&header, b"", true));
    assert!(
        matches!(error, UnpackError::EntryTooLarge { .. }),
        "{error:?}"
    );
}

#[test]
fn a_gzip_bomb() {
    // every file within its cap, all together beyond the whole's
    let mut files = good_files();
    for file in &mut files {
        file.content = vec![0; 60 * 1024];
    }
    let bomb = archive::write(files, 0).unwrap();
    assert!(bomb.len() < 8 * 1024, "{} bytes", bomb.len());
    let error = refused(&bomb);
    assert!(
        matches!(error, UnpackError::Expansion { limit } if limit == 256 * 1024),
        "{error:?}"
    );
    // and in the tail: 64 MiB of zeros behind a good archive
    let error = refused(&with_tail(&vec![0; 64 * 1024 * 1024]));
    assert!(matches!(error, UnpackError::Trailing { .. }), "{error:?}");
}

#[test]
fn bytes_that_are_no_archive() {
    let cut = good_archive();
    let mut wrong_sum = good_archive();
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    for bytes in [
        &b""[..],
        b"not gzip",
        &compress(
            b"not tar, but long enough for a header of five hundred and twelve bytes"
                .repeat(9)
                .as_slice(),
        ),
        &cut[..cut.len() / 2],
        &cut[..cut.len() - 1],
        &wrong_sum,
    ] {
        let error = refused(bytes);
        assert!(matches!(error, UnpackError::Archive(_)), "{error:?}");
    }
}

fn fetch_error(stopped: Stopped) -> FetchError {
    assert_eq!(stopped.kind(), ErrorKind::Refused);
    match stopped {
        Stopped::Fetch(error) => error,
        other => panic!("stopped too late: {}", other.shown()),
    }
}

#[test]
fn a_changed_archive_of_the_same_size() {
    let world = World::new();
    let path = world.dist.join(archive_name());
    let good = fs_err::read(&path).unwrap();
    for index in [0, good.len() / 2, good.len() - 1] {
        let mut changed = good.clone();
        changed[index] ^= 1;
        fs_err::write(&path, changed).unwrap();
        let error = fetch_error(world.refused(world.update()));
        assert!(matches!(&error, FetchError::Digest { .. }), "{error:?}");
        assert!(error.to_string().contains(&archive_name()), "{error}");
    }
}

#[test]
fn a_changed_archive_of_another_size() {
    let world = World::new();
    let path = world.dist.join(archive_name());
    let good = fs_err::read(&path).unwrap();
    for changed in [
        &good[..good.len() - 1],
        &[good.as_slice(), b"x"].concat(),
        b"",
    ] {
        fs_err::write(&path, changed).unwrap();
        let error = fetch_error(world.refused(world.update()));
        assert!(matches!(error, FetchError::Size { .. }), "{error:?}");
    }
}

#[test]
fn an_archive_beyond_every_cap_is_not_even_asked_for() {
    let world = World::new();
    let mut manifest = good_manifest(&good_archive());
    manifest.artefacts[0].size = u64::MAX;
    world.publish_manifest(&manifest);
    let error = fetch_error(world.refused(world.update()));
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
}
