//! `banger vm logs`: into a pipe as the guest wrote it, to a terminal as text.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Seek as _, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::VmError;
use super::terminal::SafeWriter;

/// Between two looks for more.
const INTERVAL: Duration = Duration::from_millis(100);

/// Copies the log to standard output; with `follow` until the log is removed.
pub(super) fn copy(descriptors: Vec<OwnedFd>, follow: bool) -> Result<(), VmError> {
    let missing = || VmError::Log(io::Error::other("the daemon sent no descriptor"));
    let log = descriptors.into_iter().next().ok_or_else(missing)?;
    let mut output = io::stdout().lock();
    if output.is_terminal() {
        return follow_file(File::from(log), &mut SafeWriter::new(output), follow);
    }
    follow_file(File::from(log), &mut output, follow)
}

fn follow_file(mut log: File, output: &mut impl io::Write, follow: bool) -> Result<(), VmError> {
    let mut position = 0;
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let found = log.metadata().map_err(VmError::Log)?;
        if found.len() < position {
            // the helper cut a log that had grown too long
            position = 0;
        }
        log.seek(SeekFrom::Start(position)).map_err(VmError::Log)?;
        let read = log.read(&mut chunk).map_err(VmError::Log)?;
        if let Err(error) = output.write_all(chunk.get(..read).unwrap_or_default()) {
            return closed_or(error);
        }
        position += u64::try_from(read).unwrap_or_default();
        if read > 0 {
            continue;
        }
        if let Err(error) = output.flush() {
            return closed_or(error);
        }
        if !follow || found.nlink() == 0 {
            return Ok(());
        }
        std::thread::sleep(INTERVAL);
    }
}

/// A reader that went away, say `head`, has what it wanted.
fn closed_or(error: io::Error) -> Result<(), VmError> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Ok(())
    } else {
        Err(VmError::Output(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn following_goes_on_over_a_cut_and_ends_with_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let log = File::open(&path).unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let follower = std::thread::spawn(move || {
            let mut writer = writer;
            follow_file(log, &mut writer, true)
        });
        let mut seen = [0; 8];
        reader.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"one\ntwo\n");
        std::fs::write(&path, "new\n").unwrap();
        reader.read_exact(&mut seen[..4]).unwrap();
        assert_eq!(&seen[..4], b"new\n");
        std::fs::remove_file(&path).unwrap();
        follower.join().unwrap().unwrap();
    }

    #[test]
    fn without_following_it_ends_where_the_log_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "one\n").unwrap();
        let mut output = Vec::new();
        follow_file(File::open(&path).unwrap(), &mut output, false).unwrap();
        assert_eq!(output, b"one\n");
    }
}
