//! Reads gzip and tar and lets through what is expected.
//!
//! Guarantees: no header field of the archive reaches the file system; names are compared byte for
//! byte with the expected ones, so nothing is normalised and nothing can be meant differently.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;
use tar::{Archive, Entry, Header};

use super::destination::Destination;
use super::{ExpectedEntries, ExpectedEntry, UnpackError};
use banger_installer_host::{RELEASE_LIST_LIMIT, RELEASE_LIST_NAME, ReleaseList};

/// tar(5): the type of a regular file in the ustar format. The older NUL is not taken.
const REGULAR: u8 = b'0';
/// Writers pad an archive with zeros up to a block of this size, in bytes.
const PADDING_LIMIT: u64 = 10 * 1024;

/// Reads the whole archive; writes the expected files to `destination`.
pub(super) fn read(
    archive: File,
    expected: &ExpectedEntries,
    destination: &Destination,
) -> Result<Option<ReleaseList>, UnpackError> {
    let mut gzip = GzDecoder::new(BufReader::new(archive));
    let mut content = Capped {
        inner: &mut gzip,
        left: expected.total_limit,
        exceeded: false,
    };
    let outcome = read_tar(&mut content, expected, destination);
    if content.exceeded {
        return Err(UnpackError::Expansion {
            limit: expected.total_limit,
        });
    }
    let list = outcome?;
    let mut rest = gzip.into_inner();
    match rest.fill_buf().map_err(UnpackError::Archive)? {
        [] => Ok(list),
        _ => Err(UnpackError::Trailing {
            place: "bytes after the gzip member",
        }),
    }
}

fn read_tar(
    content: &mut Capped<'_>,
    expected: &ExpectedEntries,
    destination: &Destination,
) -> Result<Option<ReleaseList>, UnpackError> {
    let mut seen = BTreeSet::<String>::new();
    let mut expected = Cow::Borrowed(expected);
    let mut list = None;
    let mut archive = Archive::new(&mut *content);
    // raw: extension headers are shown as the entries they are, and so refused
    let entries = archive.entries().map_err(UnpackError::Archive)?.raw(true);
    for entry in entries {
        let mut entry = entry.map_err(UnpackError::Archive)?;
        if seen.is_empty() && list.is_none() && is_list(&entry, &expected) {
            let found = read_list(&mut entry, &expected, destination)?;
            expected = Cow::Owned(listed(&found, &expected));
            list = Some(found);
            continue;
        }
        let wanted = check(&entry, &expected)?;
        if !seen.insert(wanted.path.clone()) {
            return Err(UnpackError::Twice {
                name: wanted.path.clone(),
            });
        }
        let size = entry.size();
        destination.write(wanted, size, &mut entry)?;
    }
    check_end(content)?;
    let names: Vec<String> = expected
        .entries()
        .iter()
        .filter(|entry| !seen.contains(&entry.path))
        .map(|entry| entry.path.clone())
        .collect();
    if names.is_empty() {
        Ok(list)
    } else {
        Err(UnpackError::Missing { names })
    }
}

/// Whether an archive that may have a list of its own begins with one.
fn is_list<R: Read>(entry: &Entry<'_, R>, expected: &ExpectedEntries) -> bool {
    expected.listed.is_some() && *entry.header().path_bytes() == *RELEASE_LIST_NAME.as_bytes()
}

/// Reads the list, which the rules for any other entry hold for, too, and keeps it with what it lists.
fn read_list<R: Read>(
    entry: &mut Entry<'_, R>,
    expected: &ExpectedEntries,
    destination: &Destination,
) -> Result<ReleaseList, UnpackError> {
    let itself = ExpectedEntry {
        path: RELEASE_LIST_NAME.into(),
        mode: 0o644,
        digest: None,
    };
    let alone = ExpectedEntries {
        entries: vec![itself.clone()],
        entry_limit: RELEASE_LIST_LIMIT,
        ..expected.clone()
    };
    check(entry, &alone)?;
    let size = entry.size();
    let mut bytes = Vec::new();
    let taken = entry.take(RELEASE_LIST_LIMIT + 1).read_to_end(&mut bytes);
    taken.map_err(UnpackError::Archive)?;
    let list = ReleaseList::from_json(&bytes).map_err(UnpackError::List)?;
    if let Some((product, version)) = &expected.listed {
        list.require(product, version).map_err(UnpackError::List)?;
    }
    destination.write(&itself, size, &mut bytes.as_slice())?;
    Ok(list)
}

/// What an archive with this list holds.
fn listed(list: &ReleaseList, expected: &ExpectedEntries) -> ExpectedEntries {
    let entries = list.files.iter().map(|(path, file)| ExpectedEntry {
        path: path.clone(),
        mode: file.mode,
        digest: Some(file.sha256),
    });
    ExpectedEntries {
        entries: entries.collect(),
        ..expected.clone()
    }
}

/// The rules for one entry, from its header alone.
fn check<'a, R: Read>(
    entry: &Entry<'_, R>,
    expected: &'a ExpectedEntries,
) -> Result<&'a ExpectedEntry, UnpackError> {
    let header = entry.header();
    let raw_name = header.path_bytes();
    let name = || String::from_utf8_lossy(&raw_name).into_owned();
    let kind = type_flag(header);
    if kind != REGULAR {
        return Err(UnpackError::Kind {
            name: name(),
            kind: describe(kind),
        });
    }
    let wanted = expected
        .entries()
        .iter()
        .find(|wanted| wanted.path.as_bytes() == &*raw_name)
        .ok_or_else(|| UnpackError::Unexpected { name: name() })?;
    let mode = header.mode().map_err(UnpackError::Archive)?;
    if mode & 0o7000 != 0 {
        return Err(UnpackError::SpecialBits { name: name(), mode });
    }
    if entry.size() > expected.entry_limit {
        return Err(UnpackError::EntryTooLarge {
            name: name(),
            size: entry.size(),
            limit: expected.entry_limit,
        });
    }
    Ok(wanted)
}

/// The type as it stands in the header: the library takes the old NUL for a regular file, and our
/// rule does not.
fn type_flag(header: &Header) -> u8 {
    let [flag] = header.as_old().linkflag;
    flag
}

fn describe(kind: u8) -> String {
    match kind {
        0 | b'7' => "a file of an old or special type".into(),
        b'1' => "a hard link".into(),
        b'2' => "a symbolic link".into(),
        b'3' => "a character device".into(),
        b'4' => "a block device".into(),
        b'5' => "a folder".into(),
        b'6' => "a FIFO".into(),
        b'S' => "a sparse file".into(),
        b'L' | b'K' => "a GNU long name".into(),
        b'x' | b'g' => "a pax header".into(),
        other => format!("an entry of type {:?}", char::from(other)),
    }
}

/// After the two empty blocks that end a tar archive (POSIX ustar) only padding may stand.
fn check_end(content: &mut Capped<'_>) -> Result<(), UnpackError> {
    let mut padding = Vec::new();
    content
        .take(PADDING_LIMIT + 1)
        .read_to_end(&mut padding)
        .map_err(UnpackError::Archive)?;
    if padding.len() as u64 > PADDING_LIMIT || padding.iter().any(|byte| *byte != 0) {
        return Err(UnpackError::Trailing {
            place: "bytes after the tar archive",
        });
    }
    Ok(())
}

/// Ends a stream that expands beyond a limit, and remembers that it did.
struct Capped<'a> {
    inner: &'a mut dyn Read,
    left: u64,
    exceeded: bool,
}

impl Read for Capped<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let Some(left) = self.left.checked_sub(count as u64) else {
            self.exceeded = true;
            return Err(io::Error::other("expands beyond the limit"));
        };
        self.left = left;
        Ok(count)
    }
}
