//! Where the helper keeps things.

use std::path::{Path, PathBuf};

use crate::protocol::VmId;

/// The helper's two folders and the paths in them. Built from ids alone, so no path of a request
/// can lead elsewhere.
#[derive(Debug, Clone)]
pub struct Places {
    state: PathBuf,
    run: PathBuf,
}

impl Places {
    /// `/var/lib/banger-root` and `/run/banger-root`.
    pub fn of_host() -> Self {
        Self::new("/var/lib/banger-root", "/run/banger-root")
    }

    /// The same under other folders, for tests.
    pub fn new(state: impl Into<PathBuf>, run: impl Into<PathBuf>) -> Self {
        Self {
            state: state.into(),
            run: run.into(),
        }
    }

    /// The state folder itself.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// A folder per VM.
    pub fn vms(&self) -> PathBuf {
        self.state.join("vms")
    }

    /// The folder of one VM.
    pub fn vm(&self, id: &VmId) -> PathBuf {
        self.vms().join(id.as_str())
    }

    /// The VM's record.
    pub fn record(&self, id: &VmId) -> PathBuf {
        self.vm(id).join("record.json")
    }

    /// The last good copy of the VM's record, for when the record itself is lost or damaged.
    pub fn last_record(&self, id: &VmId) -> PathBuf {
        self.vm(id).join("record.json.last")
    }

    /// What the VM's Firecracker and serial console wrote.
    pub fn console(&self, id: &VmId) -> PathBuf {
        self.vm(id).join("console.log")
    }

    /// The part of the console's output that the last rotation took away.
    pub fn rotated_console(&self, id: &VmId) -> PathBuf {
        self.vm(id).join("console.log.1")
    }

    /// The jailer's `--chroot-base-dir`.
    pub fn jails(&self) -> PathBuf {
        self.state.join("jail")
    }

    /// The jailer's folder per program: `<base>/<exec basename>`.
    pub fn program_jails(&self) -> PathBuf {
        self.jails().join("firecracker")
    }

    /// The jail of one VM.
    pub fn jail(&self, id: &VmId) -> PathBuf {
        self.program_jails().join(id.as_str())
    }

    /// The VM's root folder in its jail.
    pub fn jail_root(&self, id: &VmId) -> PathBuf {
        self.jail(id).join("root")
    }

    /// Firecracker's own log. In the jail: the VM's uid may put anything there.
    pub fn jail_log(&self, id: &VmId) -> PathBuf {
        self.jail_root(id).join("firecracker.log")
    }

    /// The API socket, in the jail.
    pub fn jail_socket(&self, id: &VmId) -> PathBuf {
        self.jail_root(id).join("firecracker.socket")
    }

    /// The API socket as the host sees it: a link to [`Places::jail_socket`].
    pub fn api_link(&self, id: &VmId) -> PathBuf {
        self.run.join(format!("{id}.sock"))
    }

    /// The published list of VMs.
    pub fn handles(&self) -> PathBuf {
        self.state.join("handles.json")
    }

    /// How deleted VMs ended.
    pub fn endings(&self) -> PathBuf {
        self.state.join("endings")
    }

    /// The uid that was given out last.
    pub fn uids(&self) -> PathBuf {
        self.state.join("uids.json")
    }

    /// Held by the one helper.
    pub fn lock(&self) -> PathBuf {
        self.state.join("lock")
    }
}
