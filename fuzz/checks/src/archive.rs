//! The release archive: it is unpacked as exactly what belongs in it, within its caps, or leaves
//! nothing at all; and nothing ever appears elsewhere.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use banger_installer::fetch::{ExpectedEntries, Mirrors, Source, Transport, UnpackError};
use banger_installer::model::{Artefact, ArtefactKind, Digest, Manifest, Urgency, Version};
use banger_installer::verify::{Expectation, Keyring, Verified, verify_manifest};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use minisign::{KeyPair, SecretKey};
use sha2::{Digest as _, Sha256};

use crate::{scratch, shown, way};

/// No file that is unpacked is larger, in bytes: small, so that a bomb need not be large.
pub const ENTRY_LIMIT: u64 = 4 * 1024;
/// No archive expands to more, in bytes.
pub const TOTAL_LIMIT: u64 = 16 * 1024;
const TARGET: &str = "x86_64-unknown-linux-gnu";
const NAME: &str = "banger-0.1.1-x86_64-unknown-linux-gnu.tar.gz";
/// Bytes of a block, of which a tar archive consists.
const BLOCK: usize = 512;

thread_local! {
    static BENCH: Bench = Bench::new();
}

/// Takes the bytes for an archive: as gzip, as the tar within it, or as a tar whose headers get
/// right sums first.
pub fn check(bytes: &[u8]) {
    let Some((way, rest)) = way(bytes, 3) else {
        return;
    };
    let archive = match way {
        0 => rest.to_vec(),
        1 => gzip(rest),
        _ => {
            let mut tar = rest.to_vec();
            mend_sums(&mut tar);
            gzip(&tar)
        }
    };
    BENCH.with(|bench| bench.judge(&archive));
}

/// What the archives here must hold.
pub fn expected() -> ExpectedEntries {
    ExpectedEntries::of(["banger"], ["banger.slice"]).with_limits(ENTRY_LIMIT, TOTAL_LIMIT)
}

/// A publisher's folder and a host's, with the publisher's key.
struct Bench {
    root: tempfile::TempDir,
    transport: Transport,
    key: SecretKey,
    keyring: Keyring,
}

impl Bench {
    fn new() -> Self {
        let root = scratch::folder();
        fs_err::create_dir(root.path().join("served")).unwrap();
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let public = pair.pk.to_base64();
        Self {
            root,
            transport: Transport::system(),
            key: pair.sk,
            keyring: Keyring::load(&public, Path::new(""), 0).unwrap(),
        }
    }

    fn judge(&self, archive: &[u8]) {
        let unpacked = self.root.path().join("host/unpacked");
        match self.unpack(archive, &unpacked) {
            Ok(()) => {
                let files = files_in(&unpacked);
                assert_is_release(&unpacked, &files);
                assert_ends(archive, &files);
                assert_eq!(
                    files,
                    plainly_read(archive),
                    "other bytes than those in the archive"
                );
                fs_err::remove_dir_all(&unpacked).unwrap();
            }
            Err(error) => shown(&error),
        }
        let left = paths_in(self.root.path());
        let wanted = ["host", "served", &format!("served/{NAME}")].map(PathBuf::from);
        assert_eq!(
            left, wanted,
            "something was left behind, or written elsewhere"
        );
        let served = fs_err::read(self.root.path().join("served").join(NAME)).unwrap();
        assert!(served == archive, "the publisher's file was changed");
    }

    /// The public way: signed, spooled, hashed, and only then unpacked.
    fn unpack(&self, archive: &[u8], to: &Path) -> Result<(), UnpackError> {
        let served = self.root.path().join("served");
        fs_err::write(served.join(NAME), archive).unwrap();
        let source = Source::parse(served.to_str().unwrap(), "stable").unwrap();
        Mirrors::from(source)
            .archive(
                &self.transport,
                &self.signed(archive),
                TARGET,
                &self.root.path().join("host"),
                &mut (),
            )
            .expect("a signed archive is fetched")
            .unpack(&expected(), to)
            .map(drop)
    }

    fn signed(&self, archive: &[u8]) -> Verified<Manifest> {
        let now = Timestamp::UNIX_EPOCH;
        let manifest = Manifest {
            product: "banger".into(),
            version: Version::new(0, 1, 1),
            channel: "stable".into(),
            sequence: 1,
            released: now,
            expires: now + SignedDuration::from_hours(24),
            urgency: Urgency::Low,
            notes: String::new(),
            artefacts: vec![Artefact {
                name: NAME.into(),
                url: NAME.into(),
                kind: ArtefactKind::Release,
                target: TARGET.into(),
                size: archive.len() as u64,
                digest: Digest::from_bytes(Sha256::digest(archive).into()),
                upgrades_from: Version::new(0, 0, 0),
            }],
        };
        let bytes = manifest.to_json().unwrap();
        let signature = minisign::sign(None, &self.key, Cursor::new(&bytes), None, None).unwrap();
        let expectation = Expectation {
            product: "banger".into(),
            target: TARGET.into(),
            channel: "stable".into(),
            version: None,
            highest_sequence: 0,
            now,
            clock_floor: None,
            allow_downgrade: false,
        };
        verify_manifest(&bytes, &signature.to_string(), &self.keyring, &expectation).unwrap()
    }
}

/// Exactly the expected names, with our modes, within the caps.
fn assert_is_release(folder: &Path, files: &BTreeMap<String, Vec<u8>>) {
    let expected = expected();
    let wanted = expected.entries().iter().map(|entry| &entry.path);
    assert!(files.keys().eq(wanted), "unpacked {:?}", files.keys());
    for entry in expected.entries() {
        let found = fs_err::symlink_metadata(folder.join(&entry.path)).unwrap();
        assert!(found.is_file(), "{} is no file", entry.path);
        assert_eq!(found.permissions().mode() & 0o7777, entry.mode);
        assert!(
            found.len() <= ENTRY_LIMIT,
            "{} bytes were written",
            found.len()
        );
    }
    let all: usize = files.values().map(Vec::len).sum();
    assert!(all as u64 <= TOTAL_LIMIT, "{all} bytes were written");
}

/// Behind the files there are zeros alone, within the cap, and nothing behind the gzip member.
fn assert_ends(archive: &[u8], files: &BTreeMap<String, Vec<u8>>) {
    let mut gzip = flate2::bufread::GzDecoder::new(archive);
    let mut tar = Vec::new();
    gzip.read_to_end(&mut tar).unwrap();
    assert!(gzip.into_inner().is_empty(), "bytes behind the gzip member");
    assert!(
        tar.len() as u64 <= TOTAL_LIMIT,
        "{} bytes were read",
        tar.len()
    );
    let blocks = |file: &Vec<u8>| BLOCK + file.len().next_multiple_of(BLOCK);
    let used: usize = files.values().map(blocks).sum();
    assert!(
        tar[used..].iter().all(|byte| *byte == 0),
        "bytes behind the tar"
    );
}

/// What the library that everybody has makes of the archive.
fn plainly_read(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut tar = tar::Archive::new(GzDecoder::new(archive));
    let read = |entry: std::io::Result<tar::Entry<'_, GzDecoder<&[u8]>>>| {
        let mut entry = entry.unwrap();
        let kind = entry.header().as_old().linkflag;
        assert_eq!(kind, *b"0", "something else than a regular file was taken");
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (path, content)
    };
    tar.entries().unwrap().map(read).collect()
}

/// Gives headers their right sums (POSIX ustar: bytes 148 to 155, counted as blanks), so that what
/// was changed in them gets past the first check.
pub fn mend_sums(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(BLOCK) {
        if block[257..262] == *b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn files_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let paths = paths_in(folder);
    let files = paths.iter().filter(|path| !folder.join(path).is_dir());
    files
        .map(|path| {
            let content = fs_err::read(folder.join(path)).unwrap();
            (path.to_str().unwrap().to_owned(), content)
        })
        .collect()
}

/// Every path beneath a folder, relative to it, sorted; links are not followed.
fn paths_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs_err::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            found.push(entry.path().strip_prefix(folder).unwrap().into());
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
        }
    }
    found.sort();
    found
}
