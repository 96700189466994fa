//! The files of a jail.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::Path;

use rustix::fs::{Dir, FileType, Gid, Mode, OFlags, Uid, fchmod, fchown};

use super::copy::copy_sparse;
use super::tree::remove_tree;
use crate::protocol::VmId;
use crate::storage::{Places, create_folder};

/// Folders within folders that are given to root; the jailer makes two levels.
const DEEPEST: usize = 8;
/// Entries of a jail that are looked at; the jailer and [`build`] make some ten.
const MOST_ENTRIES: usize = 256;

/// What a jail is made from. Lengths and data are those that were checked: a file that has changed
/// since is refused.
#[derive(Debug)]
pub struct Ingredients {
    /// The kernel, and its length in bytes.
    pub kernel: (File, u64),
    /// The root disk, and its length in bytes.
    pub rootfs: Option<(File, u64)>,
    /// Bytes of data, without holes, that either may have at most.
    pub data: u64,
}

/// Lays out a new jail: `kernel`, `config.json`, `firecracker.log`, and `rootfs` where there is one,
/// plus the host's link to the API socket. The folders are root's; the jailer gives `root` itself to
/// the VM's uid, until [`give_to_root`]. What the VM only reads is root's, too, so that a VMM that was
/// taken over cannot let it grow.
///
/// # Errors
/// What the file system says; a jail that exists already is an error.
pub fn build(
    places: &Places,
    id: &VmId,
    uid: u32,
    configuration: &serde_json::Value,
    ingredients: &Ingredients,
) -> io::Result<()> {
    fs_err::create_dir(places.jail(id))?;
    let root = places.jail_root(id);
    create_folder(&root, 0o755)?;
    let root_uid = rustix::process::getuid().as_raw();
    let (kernel, length) = &ingredients.kernel;
    let target = new_file(&root.join("kernel"), root_uid, 0o444)?;
    copy_sparse(kernel, &target, *length, ingredients.data)?;
    if let Some((rootfs, length)) = &ingredients.rootfs {
        let target = new_file(&root.join("rootfs"), uid, 0o600)?;
        copy_sparse(rootfs, &target, *length, ingredients.data)?;
    }
    let config = new_file(&root.join("config.json"), root_uid, 0o444)?;
    serde_json::to_writer(config, configuration)?;
    // Firecracker opens its log, it does not make it
    new_file(&places.jail_log(id), uid, 0o600)?;
    let link = places.api_link(id);
    remove_link(&link)?;
    symlink(places.jail_socket(id), link)
}

/// Takes the folders of a jail back from the VM's uid, once Firecracker runs and makes no file any
/// more: a VMM that was taken over can then fill no disk but its own, and put nothing in the place
/// of a file that root opens. No link is followed.
///
/// # Errors
/// What the file system says; and a jail with more in it than the jailer makes, or deeper.
pub fn give_to_root(places: &Places, id: &VmId) -> io::Result<()> {
    let root = open_folder(rustix::fs::CWD, places.jail_root(id))?;
    give_folder_to_root(&root, DEEPEST, &mut MOST_ENTRIES.clone())
}

fn give_folder_to_root(folder: &OwnedFd, deepest: usize, entries: &mut usize) -> io::Result<()> {
    let too_much = || io::Error::other("there is more in the jail than the jailer makes");
    // first its mode and owner: from here on nothing is added or exchanged
    fchown(
        folder,
        Some(rustix::process::getuid()),
        Some(rustix::process::getgid()),
    )?;
    fchmod(folder, Mode::from_raw_mode(0o755))?;
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_bytes() == b"." || name.to_bytes() == b".." {
            continue;
        }
        *entries = entries.checked_sub(1).ok_or_else(too_much)?;
        let found = rustix::fs::statat(folder, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
            let deeper = deepest.checked_sub(1).ok_or_else(too_much)?;
            give_folder_to_root(&open_folder(folder, name)?, deeper, entries)?;
        }
    }
    Ok(())
}

fn open_folder(
    beneath: impl std::os::fd::AsFd,
    path: impl rustix::path::Arg,
) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(beneath, path, flags, Mode::empty())?)
}

/// The size of a VM's disk in bytes, holes included; 0 when it has none.
pub fn size_of_disk(places: &Places, id: &VmId) -> u64 {
    let disk = places.jail_root(id).join("rootfs");
    std::fs::symlink_metadata(disk).map_or(0, |found| found.len())
}

/// Removes a jail and the link to its socket. Only for a VM whose process is gone for certain. What
/// is gone already is fine. Links inside are removed, never followed ([`super::tree`]).
///
/// # Errors
/// What the file system says.
pub fn remove(places: &Places, id: &VmId) -> io::Result<()> {
    remove_link(&places.api_link(id))?;
    match remove_tree(&places.jail(id)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove_link(link: &Path) -> io::Result<()> {
    match fs_err::remove_file(link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A new file with just that mode, whatever the umask.
fn new_file(path: &Path, uid: u32, mode: u32) -> io::Result<File> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(uid)))?;
    fchmod(&file, Mode::from_raw_mode(mode))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    /// Places with a jail in them, made from a kernel alone.
    fn built(folder: &Path) -> (Places, VmId) {
        let places = Places::new(folder.join("state"), folder.join("run"));
        for path in [places.state().into(), folder.join("run"), places.jails()] {
            std::fs::create_dir(path).unwrap();
        }
        std::fs::create_dir(places.program_jails()).unwrap();
        let id: VmId = "00112233445566aa".parse().unwrap();
        let mut kernel = tempfile::tempfile().unwrap();
        kernel.write_all(b"a kernel").unwrap();
        let uid = rustix::process::getuid().as_raw();
        let ingredients = Ingredients {
            kernel: (kernel, 8),
            rootfs: None,
            data: 4096,
        };
        let configuration = serde_json::json!({"a": 1});
        build(&places, &id, uid, &configuration, &ingredients).unwrap();
        (places, id)
    }

    #[test]
    fn a_jail_holds_what_was_handed_in_and_goes_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (places, id) = built(folder);
        let root = places.jail_root(&id);
        assert_eq!(std::fs::read(root.join("kernel")).unwrap(), b"a kernel");
        assert_eq!(
            std::fs::read(root.join("config.json")).unwrap(),
            b"{\"a\":1}"
        );
        assert_eq!(
            std::fs::read_link(places.api_link(&id)).unwrap(),
            places.jail_socket(&id)
        );

        let outside = folder.join("outside");
        std::fs::write(&outside, "kept").unwrap();
        symlink(&outside, root.join("link")).unwrap();
        remove(&places, &id).unwrap();
        remove(&places, &id).unwrap();
        assert!(!places.jail(&id).exists() && outside.exists());
        assert!(places.api_link(&id).symlink_metadata().is_err());
    }

    #[test]
    fn folders_are_rolled_back_with_all_beneath_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (places, id) = built(folder.path());
        let root = places.jail_root(&id);
        let outside = folder.path().join("outside");
        for path in [&outside, &root.join("dev"), &root.join("dev/net")] {
            std::fs::create_dir(path).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        symlink(&outside, root.join("dev/link")).unwrap();
        give_to_root(&places, &id).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
        assert_eq!(mode(&root.join("dev/net")), 0o755);
        assert_eq!((mode(&root), mode(&outside)), (0o755, 0o700));
        assert_eq!(mode(&root.join("kernel")), 0o444);
    }

    #[test]
    fn a_jail_with_more_in_it_than_the_jailer_makes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (places, id) = built(folder.path());
        let mut deep = places.jail_root(&id);
        for _ in 0..=DEEPEST {
            deep.push("x");
            std::fs::create_dir(&deep).unwrap();
        }
        assert!(give_to_root(&places, &id).is_err());
        std::fs::remove_dir_all(places.jail_root(&id).join("x")).unwrap();
        give_to_root(&places, &id).unwrap();
        for number in 0..MOST_ENTRIES {
            std::fs::write(places.jail_root(&id).join(number.to_string()), "").unwrap();
        }
        assert!(give_to_root(&places, &id).is_err());
    }
}
