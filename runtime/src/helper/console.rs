//! The console logs of VMs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use super::Helper;
use crate::protocol::{Fault, VmId, VmName, limits};
use crate::storage::Places;

/// Bytes at the end of a log that are searched for its last line.
const TAIL: u64 = 4096;

/// Opens a VM's log for a reader: read only, so the descriptor gives no more than that.
pub(super) fn open(helper: &Helper, name: &VmName) -> Result<File, Fault> {
    let machine = helper.registry.find(name)?;
    File::open(helper.places.console(&machine.record.id))
        .map_err(|error| Fault::failed(format!("cannot open the log of VM {name}"), error))
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
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let mut file = options.open(path).ok()?;
    let found = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
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

/// Moves a log that has grown beyond the bound aside, and cuts it.
pub(super) fn rotate(places: &Places, id: &VmId) -> io::Result<()> {
    rotate_above(
        &places.console(id),
        &places.rotated_console(id),
        limits::CONSOLE_LOG,
    )
}

fn rotate_above(log: &Path, aside: &Path, most: u64) -> io::Result<()> {
    let Ok(found) = std::fs::metadata(log) else {
        return Ok(());
    };
    if found.len() <= most {
        return Ok(());
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
    OpenOptions::new().write(true).open(log)?.set_len(0)
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
        rotate_above(&log, &aside, 10).unwrap();
        assert!(!aside.exists());
        rotate_above(&log, &aside, 4).unwrap();
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
}
