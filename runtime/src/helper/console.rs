//! The logs of VMs: what their consoles say, and what their Firecrackers log.
//!
//! Both have a bound. A guest that is at rest wakes nobody: the logs are watched, not looked at.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{FallocateFlags, OFlags, inotify};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Helper, blocking};
use crate::protocol::{Fault, VmId, VmName, limits};
use crate::storage::Places;

/// Bytes at the end of a log that are searched for its last line.
const TAIL: u64 = 4096;

/// Opens a VM's log for a reader: read only, so the descriptor gives no more than that.
pub(super) async fn open(helper: Arc<Helper>, name: VmName) -> Result<File, Fault> {
    blocking(move || {
        let machine = helper.registry.find(&name)?;
        File::open(helper.places.console(&machine.record.id))
            .map_err(|error| Fault::failed(format!("cannot open the log of VM {name}"), error))
    })
    .await
}

/// Makes a VM's log for its process. Appending, so that a rotation may cut it at any time.
pub(super) fn create(places: &Places, id: &VmId) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(places.console(id))
}

/// The last lines of a VM: what its console and its Firecracker said at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LastWords {
    /// Of the guest, and of what Firecracker writes to standard error.
    pub(super) console: Option<String>,
    /// Of Firecracker's own log. A guest that broke out can have written it.
    pub(super) firecracker: Option<String>,
}

/// Reads the last words of a VM, as far as there are any.
pub(super) fn last_words(places: &Places, id: &VmId) -> LastWords {
    LastWords {
        console: last_line(&places.console(id)),
        firecracker: last_line(&places.jail_log(id)),
    }
}

/// The last line with something in it. A file that is a link, a FIFO or a device has none.
fn last_line(path: &Path) -> Option<String> {
    let mut file = open_plain(path, OpenOptions::new().read(true)).ok()?;
    let found = file.metadata().ok()?;
    file.seek(SeekFrom::Start(found.len().saturating_sub(TAIL)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    // a guest writes here: no control characters onto someone's terminal
    let clean = line
        .trim()
        .chars()
        .map(|letter| if letter.is_control() { '?' } else { letter });
    Some(clean.take(200).collect())
}

/// Opens a regular file that others than root may have put there: no link, no FIFO, no device, and
/// no other name for a file elsewhere.
fn open_plain(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let found = file.metadata()?;
    if found.is_file() && found.nlink() <= 1 {
        Ok(file)
    } else {
        Err(io::Error::other("it is no plain file"))
    }
}

/// Cuts the logs of a VM that have grown beyond their bounds, and says whether one had.
pub(super) fn bound(places: &Places, id: &VmId) -> io::Result<bool> {
    let (log, aside) = (places.console(id), places.rotated_console(id));
    let console = rotate_above(&log, &aside, limits::CONSOLE_LOG)?;
    let own = punch_above(&places.jail_log(id), limits::FIRECRACKER_LOG, TAIL)?;
    Ok(console || own)
}

/// Takes the space of all but the last `keep` bytes of a log that takes more than `most`. Firecracker
/// goes on at its own offset, so cutting the file would leave a hole before what it writes next; the
/// hole is made at once, and the length stays.
fn punch_above(log: &Path, most: u64, keep: u64) -> io::Result<bool> {
    let file = match open_plain(log, OpenOptions::new().write(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    let found = file.metadata()?;
    if found.blocks().saturating_mul(512) <= most || found.len() <= keep {
        return Ok(false);
    }
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match rustix::fs::fallocate(&file, hole, 0, found.len() - keep) {
        Ok(()) => {}
        // a file system without holes
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(0)?,
        Err(error) => return Err(error.into()),
    }
    Ok(true)
}

/// Moves a log that has grown beyond the bound aside, and cuts it. Says whether it had.
fn rotate_above(log: &Path, aside: &Path, most: u64) -> io::Result<bool> {
    let Ok(found) = std::fs::metadata(log) else {
        return Ok(false);
    };
    if found.len() <= most {
        return Ok(false);
    }
    let mut from = File::open(log)?;
    from.seek(SeekFrom::Start(found.len() - most))?;
    let mut to = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(aside)?;
    io::copy(&mut from.take(most), &mut to)?;
    to.flush()?;
    OpenOptions::new().write(true).open(log)?.set_len(0)?;
    Ok(true)
}

/// The logs that are written to, by inotify(7).
#[derive(Debug)]
pub(super) struct Logs {
    events: AsyncFd<OwnedFd>,
    /// Logs that could not be watched: the kernel grants a user so many watches.
    unwatched: AtomicUsize,
}

/// A log that is watched; none when it could not be.
#[derive(Debug)]
pub(super) struct LogWatch(Vec<Option<i32>>);

impl Logs {
    /// Watches nothing yet. Within a runtime.
    pub(super) fn new() -> io::Result<Self> {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let events = inotify::init(flags)?;
        #[expect(
            deprecated,
            reason = "the successor is unsafe fn, for types whose descriptor may change under \
                      tokio; an OwnedFd's cannot"
        )]
        let events = AsyncFd::with_interest(events, Interest::READABLE)?;
        Ok(Self {
            events,
            unwatched: AtomicUsize::new(0),
        })
    }

    /// Watches the logs of a VM whose process runs.
    pub(super) fn watch(&self, places: &Places, id: &VmId) -> LogWatch {
        let paths = [places.console(id), places.jail_log(id)];
        let watches = paths.map(|path| self.watch_one(&path));
        LogWatch(watches.into())
    }

    fn watch_one(&self, path: &Path) -> Option<i32> {
        let what = inotify::WatchFlags::MODIFY | inotify::WatchFlags::DONT_FOLLOW;
        match inotify::add_watch(&self.events, path, what) {
            Ok(watch) => Some(watch),
            // nothing is written to what is not there
            Err(Errno::NOENT) => None,
            Err(error) => {
                tracing::warn!("{} is looked at in rounds: {error}", path.display());
                self.unwatched.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    /// Ends what [`Logs::watch`] began.
    pub(super) fn forget(&self, watch: LogWatch) {
        for one in watch.0.into_iter().flatten() {
            // the file may be gone, and its watch with it
            let _ = inotify::remove_watch(&self.events, one);
        }
    }

    /// Some logs must be looked at in rounds.
    pub(super) fn needs_rounds(&self) -> bool {
        self.unwatched.load(Ordering::Relaxed) > 0
    }

    /// Waits until something was written to a log that is watched.
    pub(super) async fn written(&self) -> io::Result<()> {
        self.events.readable().await?.retain_ready();
        Ok(())
    }

    /// Forgets what was written up to now. Which log it was does not matter: all that run are looked
    /// at, so that a queue that ran over loses nothing.
    pub(super) fn drain(&self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.events, &mut buffer);
        while reader.next().is_ok() {}
        // the next wait asks the kernel anew
        let _ = self
            .events
            .try_io(Interest::READABLE, |_| -> io::Result<()> {
                Err(io::ErrorKind::WouldBlock.into())
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_above_the_bound_is_cut_and_its_end_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        let (log, aside) = (folder.path().join("log"), folder.path().join("log.1"));
        let mut writer = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&log)
            .unwrap();
        writer.write_all(b"0123456789").unwrap();
        assert!(!rotate_above(&log, &aside, 10).unwrap());
        assert!(!aside.exists());
        assert!(rotate_above(&log, &aside, 4).unwrap());
        writer.write_all(b"after").unwrap();
        assert_eq!(std::fs::read(&log).unwrap(), b"after");
        assert_eq!(std::fs::read(&aside).unwrap(), b"6789");
    }

    #[test]
    fn the_last_line_carries_no_control_characters() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(folder.path(), folder.path());
        let id: VmId = "00112233445566aa".parse().unwrap();
        std::fs::create_dir_all(places.vm(&id)).unwrap();
        std::fs::write(places.console(&id), "one\n\x1b[2Jpanic\r\n\n").unwrap();
        assert_eq!(
            last_words(&places, &id).console.as_deref(),
            Some("?[2Jpanic")
        );
    }

    #[test]
    fn firecrackers_own_log_is_bounded_while_it_is_written_at_its_own_offset() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut writer = File::create(&log).unwrap();
        writer.write_all(&vec![b'x'; 1 << 20]).unwrap();
        writer.write_all(b"exit_code=0\n").unwrap();
        assert!(!punch_above(&log, 2 << 20, TAIL).unwrap());
        assert!(punch_above(&log, 1 << 16, TAIL).unwrap());
        writer.write_all(b"after\n").unwrap();
        let found = std::fs::metadata(&log).unwrap();
        assert!(found.blocks() * 512 <= 1 << 16, "{} blocks", found.blocks());
        let text = std::fs::read(&log).unwrap();
        assert!(text.ends_with(b"exit_code=0\nafter\n"));
    }

    #[test]
    fn a_log_that_is_a_link_a_fifo_or_another_name_of_a_file_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        std::fs::write(&kept, vec![b'x'; 1 << 20]).unwrap();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink(&kept, at("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        for name in ["link", "fifo"] {
            assert!(punch_above(&at(name), 0, 0).is_err(), "{name}");
            assert_eq!(last_line(&at(name)), None, "{name}");
        }
        std::fs::hard_link(&kept, at("name")).unwrap();
        assert!(punch_above(&at("name"), 0, 0).is_err());
        assert_eq!(std::fs::read(&kept).unwrap(), vec![b'x'; 1 << 20]);
    }

    #[test]
    fn what_is_written_to_a_log_is_told_once_and_what_is_not_written_never() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(folder.path(), folder.path());
        let id: VmId = "00112233445566aa".parse().unwrap();
        std::fs::create_dir_all(places.vm(&id)).unwrap();
        let mut log = create(&places, &id).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let logs = Logs::new().unwrap();
            let watch = logs.watch(&places, &id);
            let quiet = || async {
                let soon = std::time::Duration::from_millis(50);
                tokio::time::timeout(soon, logs.written()).await.is_err()
            };
            assert!(quiet().await && !logs.needs_rounds());
            for _ in 0..3 {
                log.write_all(b"one\n").unwrap();
            }
            logs.written().await.unwrap();
            logs.drain();
            assert!(quiet().await);
            log.write_all(b"two\n").unwrap();
            logs.written().await.unwrap();
            logs.drain();
            logs.forget(watch);
            logs.drain();
            log.write_all(b"three\n").unwrap();
            assert!(quiet().await);
        });
    }
}
