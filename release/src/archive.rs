//! The archive of a release.
//!
//! Guarantees: regular files in the order of their names, the list of them first, owner 0:0, one fixed time, fixed modes;
//! so the same files give the same bytes on every machine.

use std::io;

use banger_installer_host::RELEASE_LIST_NAME;
use flate2::{Compression, GzBuilder};
use tar::{EntryType, Header};

/// A file to pack.
#[derive(Debug, Clone)]
pub struct File {
    /// `FOLDER/NAME` in the archive, at most 100 bytes.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// What is in it.
    pub content: Vec<u8>,
}

/// Packs files into a gzipped ustar archive; `mtime` is in seconds since 1970.
///
/// # Errors
/// When a path is too long for ustar.
pub fn write(mut files: Vec<File>, mtime: u64) -> io::Result<Vec<u8>> {
    files.sort_by_cached_key(|file| (file.path != RELEASE_LIST_NAME, file.path.clone()));
    // mtime 0 and operating system "unknown" (255): nothing of this machine is in the header
    let gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::new(), Compression::default());
    let mut tar = tar::Builder::new(gzip);
    for file in &files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_path(&file.path)?;
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(mtime);
        header.set_cksum();
        tar.append(&header, file.content.as_slice())?;
    }
    tar.into_inner()?.finish()
}
