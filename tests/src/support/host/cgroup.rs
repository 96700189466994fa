//! A host's own control group on this machine.
//!
//! systemd-nspawn with `--keep-unit` makes its leaves `supervisor` and `payload` in the group that
//! it is started in: two hosts must not start in the same.
//!
//! Guarantees: every process of the host, however it came to be, is in the group; `kill` ends them
//! all (`cgroup.kill`, Linux 5.14) and nothing else.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::support::{Error, Result, command};

/// A folder in the cgroup v2 tree, and its namesake in systemd's v1 tree where the machine has one.
#[derive(Debug)]
pub(super) struct ControlGroup {
    unified: PathBuf,
    named: Option<PathBuf>,
}

impl ControlGroup {
    /// The group of the host `name`, whether it is there or not.
    pub(super) fn of(name: &str) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let unified = mount_point(&mounts, "cgroup2", None).ok_or_else(|| {
            Error::Lacking("no cgroup v2 tree is mounted; a host needs one (/sys/fs/cgroup)".into())
        })?;
        let named = mount_point(&mounts, "cgroup", Some("name=systemd"));
        let folder = format!("banger-bench-{name}");
        Ok(Self {
            unified: unified.join(&folder),
            named: named.map(|tree| tree.join(&folder)),
        })
    }

    /// A host of this name stands, or left its group behind.
    pub(super) fn exists(&self) -> bool {
        self.unified.exists()
    }

    /// Makes the group.
    pub(super) fn create(&self) -> Result<()> {
        fs::create_dir_all(self.unified.join("commands"))?;
        if let Some(named) = &self.named {
            fs::create_dir_all(named)?;
        }
        Ok(())
    }

    /// The files to which a process writes its pid to join.
    pub(super) fn entrances(&self) -> Vec<PathBuf> {
        let entrance = |folder: &PathBuf| folder.join("cgroup.procs");
        std::iter::once(&self.unified)
            .chain(&self.named)
            .map(entrance)
            .collect()
    }

    /// The entrance for commands that are run in the host from outside: beside the host's own tree,
    /// so that they are in no unit's group.
    pub(super) fn commands(&self) -> PathBuf {
        self.unified.join("commands/cgroup.procs")
    }

    /// All pids in the group that the host calls `group`, and in the groups beneath it.
    pub(super) fn pids_beneath(&self, group: &str) -> Result<Vec<u32>> {
        let payload = self.unified.join("payload");
        let mut pids = Vec::new();
        collect_pids(&super::beneath(&payload, Path::new(group)), &mut pids)?;
        Ok(pids)
    }

    /// All pids of the host.
    pub(super) fn pids(&self) -> Result<Vec<u32>> {
        let mut pids = Vec::new();
        collect_pids(&self.unified, &mut pids)?;
        Ok(pids)
    }

    /// Ends every process in the group and removes it; no group is fine.
    pub(super) fn kill(&self) -> Result<()> {
        if self.unified.exists() {
            fs::write(self.unified.join("cgroup.kill"), "1")?;
            command::wait_for("an empty control group", 20, || {
                let pids = self.pids().map_err(|error| error.to_string())?;
                if pids.is_empty() {
                    Ok(())
                } else {
                    Err(format!("pids {pids:?}"))
                }
            })?;
        }
        for tree in std::iter::once(&self.unified).chain(&self.named) {
            remove_tree(tree)?;
        }
        Ok(())
    }
}

fn collect_pids(folder: &Path, pids: &mut Vec<u32>) -> Result<()> {
    let Ok(procs) = fs::read_to_string(folder.join("cgroup.procs")) else {
        return Ok(()); // gone meanwhile
    };
    pids.extend(procs.lines().filter_map(|line| line.parse::<u32>().ok()));
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect_pids(&entry.path(), pids)?;
        }
    }
    Ok(())
}

/// Removes groups from the leaves up; their files are the kernel's and go with them.
fn remove_tree(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path())?;
        }
    }
    // A killed process leaves the group a moment before the kernel lets the group go.
    command::wait_for(
        &format!("the end of {}", folder.display()),
        5,
        || match fs::remove_dir(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
            _ => Ok(()),
        },
    )
}

/// Where a file system of this kind, and with this option, is mounted (`proc_pid_mounts(5)`).
fn mount_point(mounts: &str, kind: &str, option: Option<&str>) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, found, options) = (fields.next()?, fields.next()?, fields.next()?);
        let right = option.is_none_or(|wanted| options.split(',').any(|one| one == wanted));
        (found == kind && right).then(|| PathBuf::from(point))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_found_in_hybrid_and_in_unified_machines() {
        let hybrid = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                      cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let unified = "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n";
        let named = Some("name=systemd");
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(
            mount_point(hybrid, "cgroup2", None),
            path("/sys/fs/cgroup/unified")
        );
        assert_eq!(
            mount_point(hybrid, "cgroup", named),
            path("/sys/fs/cgroup/systemd")
        );
        assert_eq!(
            mount_point(unified, "cgroup2", None),
            path("/sys/fs/cgroup")
        );
        assert_eq!(mount_point(unified, "cgroup", named), None);
    }
}
