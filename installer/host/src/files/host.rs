use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{Disk, Kind, Status};
use crate::Digest;
use crate::HashingWriter;
use crate::each_at_once;

/// How much of a file is read at once to be hashed, in bytes: programs have some millions.
const BLOCK: usize = 128 * 1024;

/// How many files are hashed at once.
const AT_ONCE: usize = 4;

/// This machine's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostFiles;

impl Disk for HostFiles {
    type File = File;

    fn status(&self, path: &Path) -> io::Result<Status> {
        let found = std::fs::symlink_metadata(path)?;
        let kind = found.file_type();
        Ok(Status {
            kind: if kind.is_symlink() {
                Kind::Link
            } else if kind.is_dir() {
                Kind::Folder
            } else if kind.is_file() {
                Kind::File
            } else {
                Kind::Other
            },
            mode: found.mode() & 0o7777,
            uid: found.uid(),
            gid: found.gid(),
        })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn digest(&self, path: &Path) -> io::Result<Digest> {
        let mut hashed = HashingWriter::new(io::sink());
        let mut file = BufReader::with_capacity(BLOCK, File::open(path)?);
        loop {
            let bytes = file.fill_buf()?;
            let count = bytes.len();
            if count == 0 {
                return Ok(hashed.finish().1.digest);
            }
            hashed.write_all(bytes)?;
            file.consume(count);
        }
    }

    fn digests(&self, paths: &[&Path]) -> Vec<io::Result<Digest>> {
        let batches = paths.chunks(AT_ONCE);
        let digest = |path: &&Path| self.digest(path);
        batches
            .flat_map(|batch| each_at_once(batch, digest))
            .collect()
    }

    fn status_changed(&self, path: &Path) -> io::Result<i64> {
        let found = std::fs::metadata(path)?;
        Ok(found.ctime() * 1_000_000 + found.ctime_nsec() / 1_000)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::read_link(path)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect()
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let found = rustix::fs::statvfs(path)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn set_owner(&self, file: &File, uid: u32, gid: u32) -> io::Result<()> {
        let found = file.metadata()?;
        if (found.uid(), found.gid()) == (uid, gid) || !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        std::os::unix::fs::fchown(file, Some(uid), Some(gid))
    }

    fn set_mode(&self, file: &File, mode: u32) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(mode))
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    fn set_folder_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        std::fs::set_permissions(path, Permissions::from_mode(mode))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn make_link(&self, target: &Path, path: &Path) -> io::Result<()> {
        std::os::unix::fs::symlink(target, path)
    }

    fn hard_link(&self, path: &Path, second: &Path) -> io::Result<()> {
        std::fs::hard_link(path, second)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        // by descriptors beneath one another: a folder may belong to a user who swaps in a link
        std::fs::remove_dir_all(path)
    }
}
