//! What is done to files beside the thread that reads the archive, so that the disk and a second processor
//! work while the first one decompresses.
//!
//! Guarantees: a file counts as written when all of it was taken by the file system and is synced, as if
//! one thread had done it; the first error of either is given and never lost.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::UnpackError;
use banger_installer_host::{HashingWriter, Measured};

/// Bytes that one thread hands to the other at a time.
const PIECE: usize = 256 * 1024;

/// Pieces that may wait: what bounds the memory.
const WAITING: usize = 4;

/// So many bytes of a file are written before the disk is given them, though the file is not complete.
const EARLY: u64 = 8 * 1024 * 1024;

/// A file of up to so many bytes is not worth a thread.
const SMALL: u64 = 1024 * 1024;

/// A file that could not be synced.
#[derive(Debug)]
pub(super) struct NotSynced {
    /// Which.
    pub(super) path: PathBuf,
    /// Its size.
    pub(super) size: u64,
    /// Why.
    pub(super) source: io::Error,
}

#[derive(Debug, Clone)]
struct Job {
    file: Arc<File>,
    path: PathBuf,
    size: u64,
    /// All of it was written; else only that the disk can begin.
    complete: bool,
}

/// A thread that syncs files.
#[derive(Debug)]
pub(super) struct Syncer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<Result<(), NotSynced>>>,
}

impl Syncer {
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new().name("sync".into());
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread.spawn(move || sync_each(&queue))?),
        })
    }

    fn sync(&self, job: Job) {
        // one that has ended did so with an error, which `finish` gives
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
    }

    /// Syncs a file with all that belongs to it, and gives it back at once.
    pub(super) fn complete(&self, file: Arc<File>, path: PathBuf, size: u64) {
        self.sync(Job {
            file,
            path,
            size,
            complete: true,
        });
    }

    /// Waits until each file that was given is on the disk.
    pub(super) fn finish(&mut self) -> Result<(), NotSynced> {
        drop(self.jobs.take());
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        thread.join().unwrap_or_else(|_| {
            Err(NotSynced {
                path: PathBuf::new(),
                size: 0,
                source: io::Error::other("the thread that syncs files panicked"),
            })
        })
    }
}

impl Drop for Syncer {
    /// Nothing is worked on any more once this is gone.
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

fn sync_each(queue: &Receiver<Job>) -> Result<(), NotSynced> {
    while let Ok(job) = queue.recv() {
        let synced = if job.complete {
            job.file.sync_all()
        } else {
            job.file.sync_data()
        };
        // of an incomplete file, too: the kernel tells of a failed write once
        synced.map_err(|source| NotSynced {
            path: job.path,
            size: job.size,
            source,
        })?;
    }
    Ok(())
}

/// Why a copy ended early.
pub(super) enum CopyError {
    /// What is read.
    Archive(io::Error),
    /// What is written.
    Disk(io::Error),
}

impl CopyError {
    pub(super) fn told(self, failed: impl FnOnce(io::Error) -> UnpackError) -> UnpackError {
        match self {
            Self::Archive(error) => UnpackError::Archive(error),
            Self::Disk(error) => failed(error),
        }
    }
}

/// Writes to a file, hashes, and lets the disk begin early.
struct Writer<'a> {
    hashing: HashingWriter<&'a File>,
    file: &'a Arc<File>,
    path: &'a PathBuf,
    syncer: &'a Syncer,
    begun: u64,
}

impl Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hashing.write_all(bytes)?;
        let size = self.hashing.size();
        if size - self.begun >= EARLY {
            self.begun = size;
            self.syncer.sync(Job {
                file: Arc::clone(self.file),
                path: self.path.clone(),
                size,
                complete: false,
            });
        }
        Ok(())
    }
}

/// Copies all of `from` into a file, which is said to have `size` bytes; gives what was written.
pub(super) fn copy(
    from: &mut dyn Read,
    size: u64,
    file: &Arc<File>,
    path: &PathBuf,
    syncer: &Syncer,
) -> Result<Measured, CopyError> {
    let mut writer = Writer {
        hashing: HashingWriter::new(file),
        file,
        path,
        syncer,
        begun: 0,
    };
    if size <= SMALL {
        let mut piece = vec![0; PIECE];
        loop {
            let count = fill(from, &mut piece).map_err(CopyError::Archive)?;
            if count == 0 {
                return Ok(writer.hashing.finish().1);
            }
            let bytes = piece.get(..count).unwrap_or_default();
            writer.write(bytes).map_err(CopyError::Disk)?;
        }
    }
    std::thread::scope(|scope| {
        let (full, taken) = sync_channel::<Vec<u8>>(WAITING);
        let (empty, returned) = sync_channel::<Vec<u8>>(WAITING + 2);
        let written = scope.spawn(move || {
            while let Ok(piece) = taken.recv() {
                writer.write(&piece)?;
                // nobody may want it any more
                let _ = empty.try_send(piece);
            }
            Ok(writer.hashing.finish().1)
        });
        let read = hand_over(from, &full, &returned);
        drop(full);
        let written = written
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that writes files panicked")));
        // a reader whose pieces nobody takes any more has nothing to tell
        let measured = written.map_err(CopyError::Disk)?;
        read.map_err(CopyError::Archive)?;
        Ok(measured)
    })
}

/// Reads to the end, a piece after the other, for as long as they are taken.
fn hand_over(
    from: &mut dyn Read,
    full: &SyncSender<Vec<u8>>,
    returned: &Receiver<Vec<u8>>,
) -> io::Result<()> {
    loop {
        let mut piece = returned.try_recv().unwrap_or_default();
        piece.resize(PIECE, 0);
        let count = fill(from, &mut piece)?;
        piece.truncate(count);
        if count == 0 || full.send(piece).is_err() {
            return Ok(());
        }
    }
}

/// Reads until a piece is full or there is no more.
fn fill(from: &mut dyn Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = piece.get_mut(filled..).filter(|room| !room.is_empty()) {
        match from.read(room) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Seek as _;

    /// Gives what it has a few bytes at a time, and then ends or fails.
    struct Reluctant<'a> {
        bytes: &'a [u8],
        fails: bool,
    }

    impl Read for Reluctant<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            if self.bytes.is_empty() && self.fails {
                return Err(io::Error::other("torn"));
            }
            let count = room.len().min(self.bytes.len()).min(99_991);
            let (taken, left) = self.bytes.split_at(count);
            room[..count].copy_from_slice(taken);
            self.bytes = left;
            Ok(count)
        }
    }

    fn bytes(size: usize) -> Vec<u8> {
        (0..size)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect()
    }

    /// Smaller than what is worth a thread, and larger than what the disk is given early.
    const SIZES: [usize; 4] = [0, 3, 1024 * 1024, 9 * 1024 * 1024 + 5];

    fn copied(bytes: &[u8], fails: bool, to: File) -> (Result<Measured, CopyError>, Arc<File>) {
        let mut syncer = Syncer::start().unwrap();
        let file = Arc::new(to);
        let path = PathBuf::from("file");
        let mut from = Reluctant { bytes, fails };
        let measured = copy(&mut from, bytes.len() as u64, &file, &path, &syncer);
        let _ = syncer.finish();
        (measured, file)
    }

    #[test]
    fn a_file_of_any_size_is_written_whole_and_hashed() {
        for size in SIZES {
            let bytes = bytes(size);
            let (measured, file) = copied(&bytes, false, tempfile::tempfile().unwrap());
            let mut written = Vec::new();
            (&*file).rewind().unwrap();
            (&*file).read_to_end(&mut written).unwrap();
            assert!(written == bytes, "{size} bytes");
            let mut hashing = HashingWriter::new(io::sink());
            hashing.write_all(&bytes).unwrap();
            let measured = measured.ok().unwrap();
            assert_eq!(measured, hashing.finish().1, "{size} bytes");
        }
    }

    #[test]
    fn a_bad_archive_is_told_from_a_bad_disk() {
        for size in SIZES {
            let bytes = bytes(size);
            let (torn, _) = copied(&bytes, true, tempfile::tempfile().unwrap());
            assert!(matches!(torn, Err(CopyError::Archive(_))), "{size} bytes");
            if size > 0 {
                // it can only be read
                let null = File::open("/dev/null").unwrap();
                let (refused, _) = copied(&bytes, false, null);
                assert!(matches!(refused, Err(CopyError::Disk(_))), "{size} bytes");
            }
        }
    }

    #[test]
    fn a_sync_that_fails_is_told_whatever_was_synced_after_it() {
        let sound = || Arc::new(tempfile::tempfile().unwrap());
        let mut syncer = Syncer::start().unwrap();
        syncer.complete(sound(), "sound".into(), 1);
        syncer.finish().unwrap();

        let mut syncer = Syncer::start().unwrap();
        let (_reader, writer) = io::pipe().unwrap();
        // fsync(2) on a pipe: EINVAL
        let pipe = Arc::new(File::from(std::os::fd::OwnedFd::from(writer)));
        syncer.complete(sound(), "before".into(), 1);
        syncer.complete(pipe, "pipe".into(), 2);
        syncer.complete(sound(), "after".into(), 3);
        let lost = syncer.finish().unwrap_err();
        assert_eq!((lost.path, lost.size), (PathBuf::from("pipe"), 2));
    }
}
