//! Finding processes again.
//!
//! Guarantees: facts about a process are read while a pidfd pins it, so they are never those of two
//! processes that had one number after the other; what is read has a bound; nothing here signals or
//! decides. The pidfile of a jail lies where the VM's own uid can write: it is a hint, and
//! [`crate::reconcile`] does not rest on it.

mod find;
mod groups;
mod process;
mod procfs;
mod scan;
mod sight;

pub use find::{Found, Miss, find_by_api_socket};
pub use process::{ProcessInfo, Processes};
pub use procfs::{HostProcesses, Pinned, boot_id};
pub use scan::Scan;
pub use sight::Blindness;

#[cfg(any(test, feature = "fake"))]
pub mod fake {
    //! Processes that a test makes up.

    use std::collections::BTreeSet;
    use std::io;
    use std::sync::{Mutex, PoisonError};

    use super::{Blindness, ProcessInfo, Processes};

    /// Processes, and what of them was asked for.
    #[derive(Debug, Default)]
    pub struct FakeProcesses {
        /// What runs.
        pub list: Vec<ProcessInfo>,
        /// Numbers of those that are there and cannot be read.
        pub unreadable: BTreeSet<u32>,
        /// Numbers of those that the list does not show.
        pub unlisted: BTreeSet<u32>,
        /// Why not all can be seen.
        pub blind: Option<Blindness>,
        /// Whose facts were asked for, with arguments.
        pub looked_at: Mutex<Vec<u32>>,
    }

    impl FakeProcesses {
        /// Those of a list, all of which can be read.
        pub fn of(list: Vec<ProcessInfo>) -> Self {
            Self {
                list,
                ..Self::default()
            }
        }

        fn facts(&self, pid: u32) -> io::Result<Option<ProcessInfo>> {
            if self.unreadable.contains(&pid) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Ok(self.list.iter().find(|seen| seen.pid == pid).cloned())
        }
    }

    impl Processes for FakeProcesses {
        fn pids(&self) -> io::Result<Vec<u32>> {
            let listed = self.list.iter().map(|seen| seen.pid);
            Ok(listed.filter(|pid| !self.unlisted.contains(pid)).collect())
        }

        fn see(&self, pid: u32) -> io::Result<Option<ProcessInfo>> {
            let mut looked_at = self
                .looked_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            looked_at.push(pid);
            self.facts(pid)
        }

        fn identify(&self, pid: u32) -> io::Result<Option<ProcessInfo>> {
            Ok(self.facts(pid)?.map(|seen| ProcessInfo {
                command_line: Vec::new(),
                ..seen
            }))
        }

        fn blindness(&self) -> Option<Blindness> {
            self.blind.clone()
        }
    }

    /// A jailed Firecracker that runs as `uid`.
    pub fn firecracker(pid: u32, start_time: u64, uid: u32, id: &str) -> ProcessInfo {
        let arguments = [
            "/firecracker",
            "--id",
            id,
            "--api-sock",
            "/firecracker.socket",
        ];
        ProcessInfo {
            pid,
            start_time,
            comm: "firecracker".into(),
            exited: false,
            uid,
            command_line: arguments.map(Into::into).to_vec(),
            control_group: "/system.slice/bangerd-root.service".into(),
            pidfd_inode: Some(u64::from(pid) + 1000),
        }
    }
}
