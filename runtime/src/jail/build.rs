//! The files of a jail.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::Path;

use rustix::fs::{Gid, Uid, fchown};

use crate::protocol::{VmId, limits};
use crate::storage::{Places, create_folder};

/// Lays out a new jail: `kernel`, `config.json`, `firecracker.log`, and `rootfs` where there is one,
/// plus the host's
/// link to the API socket. The folders are root's; the jailer gives `root` itself to the VM's uid.
///
/// # Errors
/// What the file system says; a jail that exists already is an error.
pub fn build(
    places: &Places,
    id: &VmId,
    uid: u32,
    configuration: &serde_json::Value,
    kernel: File,
    rootfs: Option<File>,
) -> io::Result<()> {
    fs_err::create_dir(places.jail(id))?;
    let root = places.jail_root(id);
    create_folder(&root, 0o755)?;
    copy(kernel, &root.join("kernel"), limits::KERNEL, uid, 0o400)?;
    if let Some(rootfs) = rootfs {
        copy(rootfs, &root.join("rootfs"), limits::ROOTFS, uid, 0o600)?;
    }
    let config = new_file(&root.join("config.json"), uid, 0o400)?;
    serde_json::to_writer(config, configuration)?;
    // Firecracker opens its log, it does not make it
    new_file(&places.jail_log(id), uid, 0o600)?;
    let link = places.api_link(id);
    remove_link(&link)?;
    symlink(places.jail_socket(id), link)
}

/// Removes a jail and the link to its socket. Only for a VM whose process is gone for certain. What
/// is gone already is fine. Links inside are removed, never followed (`std::fs::remove_dir_all`).
///
/// # Errors
/// What the file system says.
pub fn remove(places: &Places, id: &VmId) -> io::Result<()> {
    remove_link(&places.api_link(id))?;
    match fs_err::remove_dir_all(places.jail(id)) {
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

fn new_file(path: &Path, uid: u32, mode: u32) -> io::Result<File> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(uid)))?;
    Ok(file)
}

/// Copies from the descriptor's start, whatever its offset. A file that grows meanwhile is an error,
/// not an endless copy.
fn copy(mut from: File, to: &Path, most: u64, uid: u32, mode: u32) -> io::Result<()> {
    from.seek(SeekFrom::Start(0))?;
    let mut target = new_file(to, uid, mode)?;
    let copied = io::copy(&mut from.take(most + 1), &mut target)?;
    if copied > most {
        return Err(io::Error::other(format!("more than {most} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_jail_holds_what_was_handed_in_and_goes_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(folder.path().join("state"), folder.path().join("run"));
        for path in [
            places.state().into(),
            folder.path().join("run"),
            places.jails(),
        ] {
            std::fs::create_dir(path).unwrap();
        }
        std::fs::create_dir(places.program_jails()).unwrap();
        let id: VmId = "00112233445566aa".parse().unwrap();
        let mut kernel = tempfile::tempfile().unwrap();
        kernel.write_all(b"a kernel").unwrap();
        let uid = rustix::process::getuid().as_raw();
        build(
            &places,
            &id,
            uid,
            &serde_json::json!({"a": 1}),
            kernel,
            None,
        )
        .unwrap();
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

        let outside = folder.path().join("outside");
        std::fs::write(&outside, "kept").unwrap();
        symlink(&outside, root.join("link")).unwrap();
        remove(&places, &id).unwrap();
        remove(&places, &id).unwrap();
        assert!(!places.jail(&id).exists() && outside.exists());
        assert!(places.api_link(&id).symlink_metadata().is_err());
    }

    #[test]
    fn a_file_above_the_bound_is_not_copied_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let endless = File::open("/dev/zero").unwrap();
        let uid = rustix::process::getuid().as_raw();
        assert!(copy(endless, &folder.path().join("k"), 1000, uid, 0o600).is_err());
    }
}
