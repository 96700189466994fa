//! The files that a user hands in.
//!
//! The descriptor itself shows that the caller could read the file; what is checked here is that it
//! is a plain file of a sane size that belongs to the owner or to root, and looks like a kernel.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use crate::protocol::limits;

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    /// A folder, a device, a FIFO, a socket.
    #[error("the {what} is no regular file")]
    NotRegular {
        /// Kernel or root disk.
        what: &'static str,
    },
    /// Neither the owner's nor root's.
    #[error("the {what} belongs to uid {uid}, neither to the owner nor to root")]
    ForeignOwner {
        /// Kernel or root disk.
        what: &'static str,
        /// Whose it is.
        uid: u32,
    },
    /// Empty or above the cap.
    #[error("the {what} has {size} bytes; 1 to {most} can be used")]
    Size {
        /// Kernel or root disk.
        what: &'static str,
        /// Its size.
        size: u64,
        /// The cap.
        most: u64,
    },
    /// No kernel that Firecracker can load.
    #[error("the kernel file is not one: {reason}")]
    NotAKernel {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It cannot be read.
    #[error("cannot read the {what}")]
    Unreadable {
        /// Kernel or root disk.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Checks a root disk: regular, the owner's or root's, within [`limits::ROOTFS`].
///
/// # Errors
/// [`BadFile`].
pub fn check_rootfs(file: &File, owner_uid: u32) -> Result<(), BadFile> {
    check_plain(file, owner_uid, "root disk", limits::ROOTFS)
}

/// Checks a kernel: regular, the owner's or root's, within [`limits::KERNEL`], and by its first
/// bytes a kernel that Firecracker loads.
///
/// # Errors
/// [`BadFile`].
pub fn check_kernel(file: &File, owner_uid: u32) -> Result<(), BadFile> {
    check_plain(file, owner_uid, "kernel", limits::KERNEL)?;
    let mut header = [0; 64];
    let read = file
        .read_at(&mut header, 0)
        .map_err(|source| BadFile::Unreadable {
            what: "kernel",
            source,
        })?;
    check_kernel_header(header.get(..read).unwrap_or_default())
}

fn check_plain(file: &File, owner: u32, what: &'static str, most: u64) -> Result<(), BadFile> {
    let found = file
        .metadata()
        .map_err(|source| BadFile::Unreadable { what, source })?;
    match () {
        () if !found.is_file() => Err(BadFile::NotRegular { what }),
        () if found.uid() != owner && found.uid() != 0 => Err(BadFile::ForeignOwner {
            what,
            uid: found.uid(),
        }),
        () if found.len() == 0 || found.len() > most => Err(BadFile::Size {
            what,
            size: found.len(),
            most,
        }),
        () => Ok(()),
    }
}

/// Firecracker on x86-64 loads an uncompressed ELF64 kernel, `vmlinux` (Firecracker docs,
/// `rootfs-and-kernel-setup.md`). Offsets: elf(5).
fn check_kernel_header(header: &[u8]) -> Result<(), BadFile> {
    let refuse = |reason| Err(BadFile::NotAKernel { reason });
    let half = |offset: usize| {
        let bytes = header.get(offset..offset + 2)?;
        Some(u16::from_le_bytes(bytes.try_into().ok()?))
    };
    if !header.starts_with(b"\x7fELF") {
        return refuse("it is no ELF file; Firecracker takes an uncompressed vmlinux");
    }
    if header.get(4..6) != Some(&[2, 1]) {
        return refuse("it is no 64-bit little-endian ELF file");
    }
    if half(18) != Some(62) {
        return refuse("it is for another processor than x86-64");
    }
    if !matches!(half(16), Some(2 | 3)) {
        return refuse("it is an ELF file that cannot be run, say an object file");
    }
    if matches!(half(56), None | Some(0)) {
        return refuse("it holds nothing to load");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf() -> Vec<u8> {
        let mut header = vec![0; 64];
        header[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (header[16], header[18], header[56]) = (2, 62, 1);
        header
    }

    fn file(bytes: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file
    }

    fn uid() -> u32 {
        rustix::process::getuid().as_raw()
    }

    #[test]
    fn an_elf64_for_x86_64_is_a_kernel() {
        check_kernel(&file(&elf()), uid()).unwrap();
    }

    #[test]
    fn what_is_no_kernel_is_told_so() {
        let changed = |offset: usize, byte: u8| {
            let mut header = elf();
            header[offset] = byte;
            header
        };
        for bytes in [
            b"#!/bin/sh\n".to_vec(),
            b"\x7fELF".to_vec(),
            b"\x1f\x8b\x08".to_vec(),
            changed(4, 1),
            changed(5, 2),
            changed(16, 1),
            changed(18, 183),
            changed(56, 0),
        ] {
            let refused = check_kernel(&file(&bytes), uid());
            assert!(
                matches!(refused, Err(BadFile::NotAKernel { .. })),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn what_is_no_plain_file_of_sane_size_is_refused() {
        let empty = check_kernel(&file(b""), uid());
        assert!(matches!(empty, Err(BadFile::Size { .. })), "{empty:?}");
        let huge = tempfile::tempfile().unwrap();
        huge.set_len(limits::KERNEL + 1).unwrap();
        let huge = check_kernel(&huge, uid());
        assert!(matches!(huge, Err(BadFile::Size { .. })), "{huge:?}");
        let device = check_kernel(&File::open("/dev/zero").unwrap(), uid());
        assert!(
            matches!(device, Err(BadFile::NotRegular { .. })),
            "{device:?}"
        );
        let folder = check_rootfs(&File::open("/").unwrap(), uid());
        assert!(
            matches!(folder, Err(BadFile::NotRegular { .. })),
            "{folder:?}"
        );
    }

    #[test]
    fn a_foreign_file_is_refused() {
        // root's own files may be used by any owner, so only another's can be refused
        let file = file(&elf());
        let owner = file.metadata().unwrap().uid();
        if owner == 0 {
            rustix::fs::fchown(&file, Some(rustix::fs::Uid::from_raw(1234)), None).unwrap();
        }
        let refused = check_kernel(&file, owner + 1);
        assert!(
            matches!(refused, Err(BadFile::ForeignOwner { .. })),
            "{refused:?}"
        );
    }
}
