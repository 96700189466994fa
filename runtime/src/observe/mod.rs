//! Finding processes again.
//!
//! Guarantees: facts about a process are read while a pidfd pins it, so they are never those of two
//! processes that had one number after the other; nothing here signals or decides. The pidfile of a
//! jail lies where the VM's own uid can write: it is a hint, and [`crate::reconcile`] does not rest
//! on it.

mod find;
mod process;
mod procfs;

pub use find::{Found, Miss, find_by_api_socket};
pub use process::{Processes, Seen};
pub use procfs::{HostProcesses, Pinned, boot_id};

#[cfg(test)]
pub(crate) mod fake {
    //! Processes that a test makes up.

    use super::{Processes, Seen};

    /// A list of processes.
    #[derive(Debug, Default)]
    pub(crate) struct FakeProcesses(pub(crate) Vec<Seen>);

    impl Processes for FakeProcesses {
        fn pids(&self) -> std::io::Result<Vec<u32>> {
            Ok(self.0.iter().map(|seen| seen.pid).collect())
        }

        fn see(&self, pid: u32) -> std::io::Result<Option<Seen>> {
            Ok(self.0.iter().find(|seen| seen.pid == pid).cloned())
        }
    }

    /// A jailed Firecracker that runs as `uid`.
    pub(crate) fn firecracker(pid: u32, start_time: u64, uid: u32, id: &str) -> Seen {
        let arguments = [
            "/firecracker",
            "--id",
            id,
            "--api-sock",
            "/firecracker.socket",
        ];
        Seen {
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
