//! Hostile releases against a client in a process of its own: each is refused with a word that names
//! what is wrong, nothing appears outside the staging folder, and the client stays small.
//!
//! What is asserted is a fact for each: the word, the tree, the memory, and that the client ends
//! before it would be ended. How many, how much and how long is printed.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use banger_installer::fetch::host_target;
use banger_installer::model::{ArtefactKind, Manifest, Version};
use flate2::{Compress, Compression, FlushCompress};
use jiff::SignedDuration;
use tar::EntryType;

use crate::archives::{OTHER_KINDS, compress, header_of, with_entry, with_tail};
use crate::client::{Answer, ask};
use crate::world::{
    SEQUENCE, World, archive_name, good_archive, good_files, good_manifest, tally_words, tree,
};

/// No client may ever hold more.
pub(crate) const PEAK_KIB: u64 = 32 * 1024;
/// Bytes of the zeros in the largest bomb.
const BOMB: u64 = 10_000_000_000;

/// A hostile release: what it is, how the publisher's folder is made so, and what is said of it.
struct Hostile {
    name: String,
    make: Box<dyn Fn(&World)>,
    word: &'static str,
}

fn hostile(
    name: impl Into<String>,
    word: &'static str,
    make: impl Fn(&World) + 'static,
) -> Hostile {
    Hostile {
        name: name.into(),
        make: Box::new(make),
        word,
    }
}

/// An archive that a trusted key signed.
fn signed(name: impl Into<String>, word: &'static str, archive: Vec<u8>) -> Hostile {
    hostile(name, word, move |world| world.publish(&archive))
}

/// A change to the manifest of a good release.
fn changed(name: &str, word: &'static str, change: fn(&mut Manifest)) -> Hostile {
    hostile(name, word, move |world| {
        let mut manifest = good_manifest(&good_archive());
        change(&mut manifest);
        world.publish_manifest(&manifest);
    })
}

fn file_in(world: &World, name: &str) -> PathBuf {
    world.dist.join(name)
}

fn entries() -> Vec<Hostile> {
    let mut cases = Vec::new();
    for (kind, word) in OTHER_KINDS {
        for name in ["bin/banger", "strange"] {
            let mut header = header_of(name, 0o644, EntryType::Regular, 0);
            if matches!(kind, b'1' | b'2') {
                header.set_link_name("../../../../etc/passwd").unwrap();
            }
            header.as_old_mut().linkflag = [kind];
            header.set_cksum();
            let label = format!("entry of type {:?} as {name}", char::from(kind));
            cases.push(signed(label, word, with_entry(&header, b"", true)));
        }
    }
    for name in [
        "/etc/cron.d/banger",
        "../../../etc/cron.d/banger",
        "bin/../../x",
        "./bin/banger",
        "bin//banger",
        "bin/banger/",
        "BIN/banger",
        "units/other.service.in",
    ] {
        let header = header_of(name, 0o644, EntryType::Regular, 1);
        cases.push(signed(
            name,
            "does not belong in a release",
            with_entry(&header, b"x", true),
        ));
    }
    for (bits, mode) in [("setuid", 0o4755), ("setgid", 0o2755), ("sticky", 0o1755)] {
        let mut files = good_files();
        files[0].mode = mode;
        let archive = banger_release::archive::write(files, 0).unwrap();
        cases.push(signed(bits, "mode", archive));
    }
    let twice = header_of("bin/banger", 0o755, EntryType::Regular, 1);
    cases.push(signed(
        "a name twice",
        "twice",
        with_entry(&twice, b"x", false),
    ));
    let mut few = good_files();
    few.pop();
    let few = banger_release::archive::write(few, 0).unwrap();
    cases.push(signed("a file too few", "lacks", few));
    cases
}

fn streams() -> Vec<Hostile> {
    let good = good_archive();
    let and = |tail: &[u8]| [good.as_slice(), tail].concat();
    let mut wrong_sum = good.clone();
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 1;
    let mut far = header_of("bin/banger", 0o755, EntryType::Regular, 0);
    far.set_size(u64::MAX / 2);
    far.set_cksum();
    let mut large = header_of("bin/banger", 0o755, EntryType::Regular, 0);
    large.set_size(BOMB);
    large.set_cksum();
    let mut sum = header_of("bin/banger", 0o755, EntryType::Regular, 0);
    sum.as_old_mut().cksum = *b"0000000\0";
    vec![
        signed("garbage after gzip", "after", and(b"x")),
        signed("a second gzip member", "after", and(&good)),
        signed("an empty gzip member", "after", and(&compress(b""))),
        signed("garbage after tar", "after", with_tail(b"x")),
        signed("zeros after tar", "after", with_tail(&vec![0; 1024 * 1024])),
        signed(
            "10 GB of zeros after tar",
            "after",
            zeros_after(&good_files_in_tar()),
        ),
        signed(
            "10 GB of zeros as a file",
            "the cap is",
            zeros_after(large.as_bytes()),
        ),
        signed("10 GB of zeros alone", "after its end", zeros_after(b"")),
        signed(
            "a size beyond the disk",
            "the cap is",
            with_entry(&far, b"", true),
        ),
        signed(
            "a wrong header checksum",
            "the archive is damaged",
            with_entry(&sum, b"", true),
        ),
        signed("a wrong gzip checksum", "the archive is damaged", wrong_sum),
        signed("no bytes", "the archive is damaged", Vec::new()),
        signed("not gzip", "the archive is damaged", b"not gzip".to_vec()),
        signed("not tar", "the archive is damaged", compress(&[7; 4096])),
    ]
}

fn good_files_in_tar() -> Vec<u8> {
    let mut tar = Vec::new();
    let mut gzip = flate2::read::GzDecoder::new(std::io::Cursor::new(good_archive()));
    std::io::Read::read_to_end(&mut gzip, &mut tar).unwrap();
    tar
}

/// A gzip member with `head` and then [`BOMB`] zeros. A piece that was flushed whole stands on its
/// own, so one is made and repeated.
fn zeros_after(head: &[u8]) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut piece = |bytes: &[u8]| {
        let mut out = Vec::with_capacity(bytes.len() + 4096);
        deflate
            .compress_vec(bytes, &mut out, FlushCompress::Full)
            .unwrap();
        out
    };
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
    bytes.extend(piece(head));
    let block = 10_000_000;
    let zeros = piece(&vec![0; block]);
    for _ in 0..BOMB / block as u64 {
        bytes.extend_from_slice(&zeros);
    }
    bytes
}

fn manifests() -> Vec<Hostile> {
    let mut cases = vec![
        changed("another product", "is of", |manifest| {
            manifest.product = "other".into();
        }),
        changed("another channel", "channel", |manifest| {
            manifest.channel = "beta".into();
        }),
        changed("another target", "has nothing for", |manifest| {
            manifest.artefacts[0].target = "riscv64gc-unknown-linux-gnu".into();
        }),
        changed("another kind", "has nothing for", |manifest| {
            manifest.artefacts[0].kind = ArtefactKind::Package;
        }),
        changed("expired", "expired", |manifest| {
            manifest.released -= SignedDuration::from_hours(48);
            manifest.expires -= SignedDuration::from_hours(48);
        }),
        changed("an old sequence", "older than what was seen", |manifest| {
            manifest.sequence = SEQUENCE - 1;
        }),
        changed("fast-forward", "jumps", |manifest| {
            manifest.sequence = u64::MAX;
        }),
        changed("a size beyond all caps", "larger", |manifest| {
            manifest.artefacts[0].size = u64::MAX;
        }),
        changed("a digest of something else", "sha256", |manifest| {
            manifest.artefacts[0].digest = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
        }),
        changed("a name that is not there", "banger-0.1.1.zip", |manifest| {
            manifest.artefacts[0].name = "banger-0.1.1.zip".into();
            manifest.artefacts[0].url = "banger-0.1.1.zip".into();
        }),
    ];
    let signed_bytes = |name: &str, word, bytes: Vec<u8>| {
        hostile(name, word, move |world: &World| {
            world.publish_signed_by(&world.keys.join("banger.key"), &bytes);
        })
    };
    let deep = "[".repeat(100_000).into_bytes();
    cases.extend([
        signed_bytes("no JSON", "cannot be read", b"?".to_vec()),
        signed_bytes("a later schema", "schema", br#"{"schema": 2}"#.to_vec()),
        signed_bytes("JSON a hundred thousand deep", "cannot be read", deep),
        signed_bytes("a manifest of 2 MiB", "larger", vec![b' '; 2 * 1024 * 1024]),
    ]);
    cases
}

fn signatures() -> Vec<Hostile> {
    const SIGNATURE: &str = "manifest.json.minisig";
    let over = |name: &str, word, text: &'static [u8]| {
        hostile(name, word, move |world: &World| {
            fs_err::write(file_in(world, SIGNATURE), text).unwrap();
        })
    };
    vec![
        hostile("no signature", "not signed", |world| {
            fs_err::remove_file(file_in(world, SIGNATURE)).unwrap();
        }),
        over("an empty signature", "no minisign signature", b""),
        over("noise as a signature", "is not text", &[0xff; 300]),
        hostile("a signature of 1 MiB", "larger", |world| {
            fs_err::write(file_in(world, SIGNATURE), vec![b'a'; 1024 * 1024]).unwrap();
        }),
        hostile("a stranger's key", "not trusted", |world| {
            let strange = world.temp.path().join("strange");
            World::make_key(&strange);
            let bytes = fs_err::read(file_in(world, "manifest.json")).unwrap();
            world.publish_signed_by(&strange.join("banger.key"), &bytes);
        }),
        hostile("a changed manifest", "does not match", |world| {
            let path = file_in(world, "manifest.json");
            let text = fs_err::read_to_string(&path).unwrap();
            fs_err::write(&path, text.replace("0.1.1", "0.1.9")).unwrap();
        }),
        hostile(
            "the signature of another good release",
            "does not match",
            |world| {
                let old = fs_err::read(file_in(world, SIGNATURE)).unwrap();
                let mut manifest = good_manifest(&good_archive());
                manifest.version = Version::new(0, 1, 2);
                world.publish_manifest(&manifest);
                fs_err::write(file_in(world, SIGNATURE), old).unwrap();
            },
        ),
        hostile("the archive of another good release", "signed", |world| {
            let mut files = good_files();
            files[0].content = b"content of bin/bangre\n".to_vec();
            let other = banger_release::archive::write(files, 0).unwrap();
            fs_err::write(file_in(world, &archive_name()), other).unwrap();
        }),
        hostile("a FIFO as the archive", "regular file", |world| {
            let path = file_in(world, &archive_name());
            fs_err::remove_file(&path).unwrap();
            let mode = rustix::fs::Mode::from_raw_mode(0o644);
            let kind = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        }),
    ]
}

/// Truncated at every hundredth of its length: as it comes, and as a careless publisher signed it.
fn truncated() -> Vec<Hostile> {
    // not to be compressed, so that the cuts fall into the files as well
    let mut files = good_files();
    let mut state: u32 = 0x5eed;
    for file in &mut files {
        file.content = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(2000)
        .collect();
    }
    let good = banger_release::archive::write(files, 0).unwrap();
    let cut = |part: usize| good[..good.len() * part / 100].to_vec();
    let mut cases = Vec::new();
    for part in 0..100 {
        let (bytes, whole) = (cut(part), good.clone());
        cases.push(signed(
            format!("signed at {part} %"),
            "the archive is damaged",
            bytes.clone(),
        ));
        cases.push(hostile(
            format!("cut at {part} %"),
            "were signed",
            move |world| {
                world.publish(&whole);
                fs_err::write(file_in(world, &archive_name()), &bytes).unwrap();
            },
        ));
        cases.push(hostile(
            format!("manifest cut at {part} %"),
            "does not match",
            move |world| {
                let path = file_in(world, "manifest.json");
                let bytes = fs_err::read(&path).unwrap();
                fs_err::write(&path, &bytes[..bytes.len() * part / 100]).unwrap();
            },
        ));
    }
    cases
}

/// The most of a run of cases.
#[derive(Default)]
struct Most {
    peak_kib: u64,
    time: Duration,
}

fn all_refused(what: &str, cases: &[Hostile]) -> Most {
    let mut most = Most::default();
    for case in cases {
        let world = World::new();
        (case.make)(&world);
        let before = tree(world.temp.path());
        let begun = Instant::now();
        let Answer { error, peak_kib } = ask(&world);
        let time = begun.elapsed();
        assert!(!case.word.is_empty(), "{} has no word", case.name);
        let said = error.unwrap_or_else(|| panic!("{} was taken", case.name));
        assert!(said.contains(case.word), "{}: {said}", case.name);
        assert!(peak_kib < PEAK_KIB, "{}: {peak_kib} KiB", case.name);
        let mut after = tree(world.temp.path());
        after.retain(|path| path.as_os_str() != "host/staging");
        assert_eq!(after, before, "{} left something behind", case.name);
        tally_words(&said);
        most.peak_kib = most.peak_kib.max(peak_kib);
        most.time = most.time.max(time);
    }
    let _ = writeln!(
        std::io::stdout(),
        "{what}: {} hostile releases refused; at most {} KiB and {} ms",
        cases.len(),
        most.peak_kib,
        most.time.as_millis()
    );
    most
}

#[test]
fn a_good_release_is_taken_by_the_same_client() {
    let world = World::new();
    let answer = ask(&world);
    assert_eq!(answer.error, None);
    assert!(answer.peak_kib > 0 && answer.peak_kib < PEAK_KIB);
    assert!(world.staging().join("new/bin/banger").is_file());
    assert!(archive_name().contains(host_target()));
}

#[test]
fn hostile_entries_in_a_signed_archive_are_refused() {
    all_refused("entries", &entries());
}

#[test]
fn hostile_streams_under_a_signature_are_refused() {
    all_refused("streams", &streams());
}

#[test]
fn hostile_manifests_that_a_trusted_key_signed_are_refused() {
    all_refused("manifests", &manifests());
}

#[test]
fn hostile_signatures_and_mixtures_are_refused() {
    all_refused("signatures and mixtures", &signatures());
}

#[test]
fn a_release_that_is_cut_at_any_hundredth_is_refused() {
    let cases = truncated();
    assert_eq!(cases.len(), 300);
    all_refused("cut", &cases);
}

#[test]
fn there_are_sixty_hostile_releases_and_more_besides_those_that_are_cut() {
    let count = entries().len() + streams().len() + manifests().len() + signatures().len();
    assert!(count >= 60, "{count}");
}
