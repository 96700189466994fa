use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::Digest;

/// What sort of thing stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a socket, a FIFO.
    Other,
}

/// What lstat(2) says of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, chmod(2).
    pub mode: u32,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
}

/// The primitive operations of a file system, one system call each but for [`Disk::remove_tree`].
///
/// Nothing is on the disk before it is synced: what a file holds by [`Disk::sync`] (fsync(2)), that
/// it has a name by [`Disk::sync_folder`] of the folder that the name stands in. The last part of a
/// path is never followed when it is a link, but by the reads of what it names.
pub trait Disk {
    /// A file that is being written.
    type File;

    /// lstat(2).
    fn status(&self, path: &Path) -> io::Result<Status>;
    /// The whole contents of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The digest of a file's contents, of whatever size.
    fn digest(&self, path: &Path) -> io::Result<Digest>;
    /// The digests of several files, in their order.
    fn digests(&self, paths: &[&Path]) -> Vec<io::Result<Digest>> {
        paths.iter().map(|path| self.digest(path)).collect()
    }
    /// When what a path leads to, links followed, was last changed in any way (ctime, inode(7)), in
    /// microseconds since 1970.
    fn status_changed(&self, path: &Path) -> io::Result<i64>;
    /// readlink(2).
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;
    /// The names in a folder, in any order.
    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>>;
    /// Whether a path leads to a folder, links followed.
    fn is_folder(&self, path: &Path) -> bool;
    /// Bytes that are free for an unprivileged user, statvfs(3).
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;

    /// Makes a file that was not there (`O_CREAT | O_EXCL`), for its owner alone.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    /// write(2) to the end of it.
    fn write(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;
    /// fchown(2), where another owns it and the caller may: without privilege only one's own files
    /// can be made.
    fn set_owner(&self, file: &Self::File, uid: u32, gid: u32) -> io::Result<()>;
    /// fchmod(2).
    fn set_mode(&self, file: &Self::File, mode: u32) -> io::Result<()>;
    /// fsync(2) of the file.
    fn sync(&self, file: &Self::File) -> io::Result<()>;

    /// mkdir(2).
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// chmod(2) of a folder.
    fn set_folder_mode(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// fsync(2) of a folder: its own attributes, and the names in it.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// symlink(2).
    fn make_link(&self, target: &Path, path: &Path) -> io::Result<()>;
    /// link(2).
    fn hard_link(&self, path: &Path, second: &Path) -> io::Result<()>;
    /// rename(2).
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// unlink(2).
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// rmdir(2).
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder and all in it, led astray by nobody who may write in there.
    fn remove_tree(&self, path: &Path) -> io::Result<()>;
}
