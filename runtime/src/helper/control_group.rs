//! Ending what is left in a VM's scope.
//!
//! A VMM that a guest took over can have forked: the children are in its control group, which they
//! cannot leave, and outlive its main process. So the end of a VM is the end of its whole scope.
//!
//! Guarantees: nothing is killed but what is in a group that bears the VM's own name as its last
//! part, beneath the unified hierarchy, without a link on the way; a VM that lives in another group,
//! the helper's own say, leaves that group alone.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::scope_name;
use crate::protocol::VmId;

/// The magic number of cgroup v2 (linux/magic.h).
const CGROUP2_MAGIC: u64 = 0x6367_7270;
/// Where the unified hierarchy is mounted: alone, or beside those of v1 (systemd's hybrid setup).
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// How long killed processes may take to go.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks whether they have.
const INTERVAL: Duration = Duration::from_millis(2);

/// Why something may be left in a scope.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScopeEndError {
    /// The control group.
    #[error("cannot end what is in {group}")]
    Group {
        /// The control group.
        group: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Killed, and still there.
    #[error("processes in {group} do not end")]
    Remain {
        /// The control group.
        group: String,
    },
}

/// Kills every process in the scope of VM `id`, found at `control_group` on the unified hierarchy,
/// and waits until they are gone. A scope that is gone is fine, and so is a group that is not the
/// VM's scope: nothing is done to it.
pub(super) fn end_scope(id: &VmId, control_group: &str) -> Result<(), ScopeEndError> {
    if control_group.rsplit('/').next() != Some(scope_name(id).as_str()) {
        return Ok(());
    }
    let failed = |source| ScopeEndError::Group {
        group: control_group.into(),
        source,
    };
    let Some(group) = open_group(&MOUNTS.map(Path::new), control_group).map_err(failed)? else {
        return Ok(());
    };
    kill(&group).map_err(failed)?;
    let begun = Instant::now();
    while is_populated(&group).map_err(failed)? {
        if begun.elapsed() > PATIENCE {
            return Err(ScopeEndError::Remain {
                group: control_group.into(),
            });
        }
        std::thread::sleep(INTERVAL);
    }
    Ok(())
}

fn open_group(mounts: &[&Path], control_group: &str) -> io::Result<Option<OwnedFd>> {
    let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for mount in mounts {
        let root = match rustix::fs::open(*mount, folder | OFlags::NOFOLLOW, Mode::empty()) {
            Err(Errno::NOENT) => continue,
            root => root?,
        };
        if u64::try_from(rustix::fs::fstatfs(&root)?.f_type) != Ok(CGROUP2_MAGIC) {
            continue;
        }
        return match open_beneath(&root, control_group.trim_start_matches('/'), folder) {
            Err(Errno::NOENT) => Ok(None),
            group => Ok(Some(group?)),
        };
    }
    Err(io::Error::other("no cgroup v2 hierarchy is mounted"))
}

/// Part by part, and none of them a link. Not openat2(2), which `RestrictSUIDSGID=` of the helper's
/// unit takes away: its flags lie where seccomp cannot see them.
fn open_beneath(folder: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let (above, last) = match path.rsplit_once('/') {
        Some((above, last)) => (Some(open_beneath(folder, above, OFlags::DIRECTORY)?), last),
        None => (None, path),
    };
    if matches!(last, "" | "." | "..") {
        return Err(Errno::XDEV);
    }
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(above.as_ref().unwrap_or(folder), last, flags, Mode::empty())
}

/// Every process in the group and in those beneath it, those included that are forked meanwhile
/// (`cgroup.kill`, Linux 5.14).
fn kill(group: &OwnedFd) -> io::Result<()> {
    let written = open_beneath(group, "cgroup.kill", OFlags::WRONLY)
        .and_then(|file| rustix::io::write(file, b"1"));
    match written {
        // ENODEV: the group was removed between open and write
        Ok(_) | Err(Errno::NODEV) => Ok(()),
        Err(Errno::NOENT) if !is_populated(group)? => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a process lives in the group or beneath it (`cgroup.events`). A group that was removed
/// has none.
fn is_populated(group: &OwnedFd) -> io::Result<bool> {
    let mut text = [0; 256];
    let read = open_beneath(group, "cgroup.events", OFlags::RDONLY)
        .and_then(|file| rustix::io::read(file, &mut text));
    match read {
        Ok(length) => Ok(says_populated(text.get(..length).unwrap_or_default())),
        Err(Errno::NOENT | Errno::NODEV) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn says_populated(events: &[u8]) -> bool {
    events
        .split(|byte| *byte == b'\n')
        .any(|line| line == b"populated 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_not_the_vms_scope_is_left_alone() {
        let id: VmId = "00112233445566aa".parse().unwrap();
        // were one of these ended, this test would be, too
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = own
            .lines()
            .find_map(|line| line.strip_prefix("0::"))
            .unwrap_or("/");
        for group in [
            own,
            "/",
            "",
            "/banger.slice/banger-vm-00112233445566ab.scope",
        ] {
            end_scope(&id, group).unwrap();
        }
    }

    #[test]
    fn a_scope_that_is_gone_is_fine() {
        let id: VmId = "00112233445566aa".parse().unwrap();
        end_scope(&id, &format!("/banger.slice/{}", scope_name(&id))).unwrap();
    }

    #[test]
    fn no_path_leads_out_of_the_hierarchy() {
        let folder = tempfile::tempdir().unwrap();
        let root = rustix::fs::open(folder.path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        let open = |path| open_beneath(&root, path, OFlags::DIRECTORY).unwrap_err();
        for path in ["../x.scope", "..", "x/../..", "/", ""] {
            assert!(matches!(open(path), Errno::XDEV | Errno::NOENT), "{path}");
        }
        // ENOTDIR: a link is no folder
        for path in ["link", "link/etc"] {
            assert!(matches!(open(path), Errno::LOOP | Errno::NOTDIR), "{path}");
        }
    }

    #[test]
    fn the_events_of_a_group_tell_whether_something_lives_in_it() {
        assert!(says_populated(b"populated 1\nfrozen 0\n"));
        assert!(!says_populated(b"populated 0\nfrozen 1\n"));
    }
}
