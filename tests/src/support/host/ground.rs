//! What a host stands on: its name, its lock and its overlay.
//!
//! Guarantees: the lock is held as long as the host's program lives, so a folder whose lock is free
//! is a leftover, and is swept before the next host is made.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use fs_err::File;
use rustix::mount::{UnmountFlags, unmount};

use super::cgroup::ControlGroup;
use crate::support::{Error, Result, command, place, root};

/// A host's folder, `target/bench/hosts/NAME/`, with its overlay mounted.
#[derive(Debug)]
pub(super) struct Ground {
    name: String,
    folder: PathBuf,
    root: PathBuf,
    _lock: File,
}

impl Ground {
    /// Sweeps leftovers, takes a free name and mounts the overlay over a root with these packages, too.
    pub(super) fn prepare(packages: &[&str]) -> Result<Self> {
        let base = root::with(packages)?;
        let hosts = hosts();
        let ground = {
            let _door = place::lock(&hosts.join(".server"))?;
            sweep(&hosts)?;
            take_name(&hosts)?
        };
        mount(&base, &ground.folder)?;
        Ok(ground)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The root of the host on this machine.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a folder of the root a file system of its own with the same contents.
    pub(super) fn mount_own(&self, folder: &str) -> Result<()> {
        let place = super::beneath(&self.root, Path::new(folder));
        fs::create_dir_all(&place)?;
        let script = r#"mkdir "$1" && mount -t tmpfs -o mode=0755 own "$1" && cp -a "$2/." "$1/" \
            && mount --bind "$1" "$2" && umount "$1" && rmdir "$1""#;
        command::run(
            Command::new("/bin/sh")
                .args(["-c", script, "sh"])
                .arg(self.folder.join("filling"))
                .arg(&place),
        )?
        .ok()?;
        Ok(())
    }

    /// What the host's console says goes here.
    pub(super) fn console(&self) -> PathBuf {
        self.folder.join("console.log")
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next run, which reports its error.
        let _ = clear(&self.name, &self.folder);
    }
}

/// Where the hosts' folders are.
fn hosts() -> PathBuf {
    place::bench().join("hosts")
}

/// Removes what killed runs left behind; gives the names of the hosts that it removed.
fn sweep(hosts: &Path) -> Result<Vec<String>> {
    let mut swept = Vec::new();
    for entry in fs::read_dir(hosts)? {
        let folder = entry?.path();
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if !folder.is_dir() || place::try_lock(&folder.join("lock"))?.is_none() {
            continue;
        }
        clear(name, &folder)?;
        swept.push(name.to_owned());
    }
    Ok(swept)
}

/// The first free `PID-NUMBER`: other workspaces on this machine have hosts of their own, and their
/// control groups and machine names lie beside ours.
fn take_name(hosts: &Path) -> Result<Ground> {
    for number in 0..1000 {
        let name = format!("bench-{}-{number}", std::process::id());
        let folder = hosts.join(&name);
        if folder.exists() || ControlGroup::of(&name)?.exists() {
            continue;
        }
        fs::create_dir(&folder)?;
        let lock = place::try_lock(&folder.join("lock"))?
            .ok_or_else(|| Error::Wrong(format!("{} is locked already", folder.display())))?;
        return Ok(Ground {
            name,
            root: folder.join("root"),
            folder,
            _lock: lock,
        });
    }
    Err(Error::Wrong("no free name for a host".to_owned()))
}

fn mount(base: &Path, folder: &Path) -> Result<()> {
    for name in ["upper", "work", "root"] {
        fs::create_dir(folder.join(name))?;
    }
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        base.display(),
        folder.join("upper").display(),
        folder.join("work").display()
    );
    command::run(
        Command::new("mount")
            .args(["-t", "overlay", "overlay", "-o", &options])
            .arg(folder.join("root")),
    )?
    .ok()?;
    Ok(())
}

/// Ends the host's processes, unmounts its root and deletes its folder.
fn clear(name: &str, folder: &Path) -> Result<()> {
    ControlGroup::of(name)?.kill()?;
    for point in mounts_beneath(folder)? {
        match unmount(&point, UnmountFlags::empty()) {
            // EINVAL: not mounted any more (umount(2)).
            Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => {}
            Err(error) => {
                return Err(Error::io(format!("unmount {}", point.display()))(
                    error.into(),
                ));
            }
        }
    }
    place::remove(folder)
}

/// What is mounted beneath a folder, the last one first (`proc_pid_mounts(5)`; our names hold
/// nothing that is escaped there).
fn mounts_beneath(folder: &Path) -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let mut points: Vec<PathBuf> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(PathBuf::from)
        .filter(|point| point.starts_with(folder))
        .collect();
    points.reverse();
    Ok(points)
}
