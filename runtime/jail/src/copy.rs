//! Copying what a user hands in: from a descriptor, with a bound, holes staying holes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use rustix::fs::SeekFrom as Sparse;
use rustix::io::Errno;

/// Bytes that are copied at a time.
const PIECE: usize = 256 * 1024;

/// The bytes of data in the first `length` bytes of `file`; the rest are holes. Not by its blocks: a
/// file system that compresses has fewer than a copy elsewhere takes.
///
/// # Errors
/// What lseek(2) says.
pub fn room_of(file: &File, length: u64) -> io::Result<u64> {
    let (mut at, mut data) = (0, 0);
    while let Some((start, end)) = next_data(file, at, length)? {
        data += end - start;
        at = end;
    }
    Ok(data)
}

/// Makes the empty `to` alike to `from`: the same length, the same data, holes for holes. Shares the
/// data where the file system can (`FICLONE`). The offset of `from`, which its sender shares and may
/// move, counts for nothing.
///
/// # Errors
/// What the file system says, and when `from` has another length or more than `most_data` bytes of
/// data: it may grow meanwhile, and is then not copied to its end.
pub fn copy_sparse(from: &File, to: &File, length: u64, most_data: u64) -> io::Result<()> {
    if from.metadata()?.len() != length {
        return Err(changed());
    }
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return if to.metadata()?.len() == length {
            Ok(())
        } else {
            Err(changed())
        };
    }
    to.set_len(length)?;
    let (mut at, mut copied) = (0, 0);
    let mut piece = vec![0; PIECE];
    while let Some((start, end)) = next_data(from, at, length)? {
        copied += end - start;
        // a file that was filled while it was copied could take more space than was checked
        if copied > most_data {
            return Err(changed());
        }
        copy_data(from, to, start, end, &mut piece)?;
        at = end;
    }
    Ok(())
}

fn changed() -> io::Error {
    io::Error::other("the file changed while it was copied")
}

/// The next piece of data at or after `at`, within `length`; none when there are only holes.
fn next_data(from: &File, at: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= length {
        return Ok(None);
    }
    let start = match rustix::fs::seek(from, Sparse::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if start >= length {
        return Ok(None);
    }
    let end = rustix::fs::seek(from, Sparse::Hole(start))?.min(length);
    Ok(Some((start, end)))
}

fn copy_data(from: &File, to: &File, start: u64, end: u64, piece: &mut [u8]) -> io::Result<()> {
    let mut at = start;
    while at < end {
        let wanted = piece
            .len()
            .min(usize::try_from(end - at).unwrap_or(usize::MAX));
        let read = from.read_at(piece.get_mut(..wanted).unwrap_or_default(), at)?;
        if read == 0 {
            return Err(changed());
        }
        to.write_all_at(piece.get(..read).unwrap_or_default(), at)?;
        at += read as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn sparse() -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(6 * 1024 * MIB).unwrap();
        file.write_all_at(b"begin", 0).unwrap();
        file.write_all_at(b"middle", 3 * 1024 * MIB).unwrap();
        file
    }

    #[test]
    fn holes_stay_holes_and_data_stays_data() {
        let (from, to) = (sparse(), tempfile::tempfile().unwrap());
        let length = from.metadata().unwrap().len();
        copy_sparse(&from, &to, length, room_of(&from, length).unwrap()).unwrap();
        let copy = to.metadata().unwrap();
        assert_eq!(copy.len(), length);
        assert!(room_of(&to, length).unwrap() < MIB);
        assert!(copy.blocks() * 512 < MIB, "{} blocks", copy.blocks());
        for (offset, text) in [(0, &b"begin"[..]), (3 * 1024 * MIB, b"middle")] {
            let mut found = vec![0; text.len()];
            to.read_exact_at(&mut found, offset).unwrap();
            assert_eq!(found, text);
        }
    }

    #[test]
    fn a_file_that_grows_or_fills_while_it_is_copied_is_refused() {
        let (from, to) = (sparse(), tempfile::tempfile().unwrap());
        let length = from.metadata().unwrap().len();
        assert!(copy_sparse(&from, &to, length - 1, u64::MAX).is_err());
        // nothing was reserved for its data; a file system that shares data needs nothing
        if rustix::fs::ioctl_ficlone(&to, &from).is_err() {
            assert!(copy_sparse(&from, &to, length, 1).is_err());
        }
    }

    #[test]
    fn a_file_without_holes_is_copied_to_its_last_byte() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let bytes: Vec<u8> = (0..100_001_u32).map(|byte| (byte % 251) as u8).collect();
        from.write_all_at(&bytes, 0).unwrap();
        let length = from.metadata().unwrap().len();
        copy_sparse(&from, &to, length, length).unwrap();
        let mut found = vec![0; bytes.len()];
        to.read_exact_at(&mut found, 0).unwrap();
        assert_eq!((found, to.metadata().unwrap().len()), (bytes, length));
    }
}
