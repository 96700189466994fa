//! The process of a VM between its spawn and the moment when its guest runs.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;

use crate::jail;
use crate::observe::Pinned;
use crate::protocol::Fault;

/// This very program, whatever has taken its place on the disk since it was started.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// A child that is killed and reaped when it is dropped: on every way out of a start that does not
/// end with a VM that runs, a cancelled task and a panic included.
#[derive(Debug)]
struct KilledOnDrop(Option<Child>);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // not reaped yet, so its number is no other's; one that has ended is fine
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A process that waits at its gate or has passed it, and whose guest does not run yet.
#[derive(Debug)]
pub(super) struct Fresh {
    child: KilledOnDrop,
    gate: Option<ChildStdin>,
    pinned: Arc<Pinned>,
}

impl Fresh {
    /// Spawns `jailer` with `arguments` behind a gate (see [`jail::pass_gate`]), with `log` as its
    /// output, and pins it.
    pub(super) fn spawn(jailer: &OsStr, arguments: Vec<String>, log: &File) -> Result<Self, Fault> {
        Self::spawn_behind(OsStr::new(OWN_PROGRAM), jailer, arguments, log)
    }

    fn spawn_behind(
        gate: &OsStr,
        jailer: &OsStr,
        arguments: Vec<String>,
        log: &File,
    ) -> Result<Self, Fault> {
        let no_log = |error| Fault::failed("cannot hand over its log", error);
        let (output, errors) = (
            log.try_clone().map_err(no_log)?,
            log.try_clone().map_err(no_log)?,
        );
        let spawned = Command::new(gate)
            .arg(jail::GATE_OPTION)
            .arg(jailer)
            .args(arguments.into_iter().map(OsString::from))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|error| Fault::failed("cannot start the jailer", error))?;
        let pid = spawned.id();
        let mut child = KilledOnDrop(Some(spawned));
        let gate = child.0.as_mut().and_then(|child| child.stdin.take());
        // the child is ours and not reaped yet, so its number can be no other's
        let pinned = Pinned::pin(pid)
            .map_err(|error| Fault::failed("cannot read the jailer's process", error))?
            .ok_or_else(|| Fault::Failed {
                reason: "the jailer's process ended at once".into(),
            })?;
        Ok(Self {
            child,
            gate,
            pinned: Arc::new(pinned),
        })
    }

    /// The process.
    pub(super) fn pinned(&self) -> &Arc<Pinned> {
        &self.pinned
    }

    /// Lets it become the jailer.
    pub(super) fn open_gate(&mut self) -> Result<(), Fault> {
        let gate = self.gate.take().ok_or_else(|| Fault::Failed {
            reason: "the jailer was let go already".into(),
        })?;
        jail::open_gate(gate).map_err(|error| Fault::failed("cannot let the jailer go", error))
    }

    /// How it ended; none while it runs.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.0.as_mut()?.try_wait().ok().flatten()
    }

    /// Its guest runs: from here on it outlives the helper.
    pub(super) fn settle(mut self) -> Option<Child> {
        self.child.0.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gate of shell: the shell reads `--jail-gate` as an option that it does not know, so a
    /// script stands in for the program.
    fn behind(script: &str) -> (tempfile::TempDir, Fresh, File) {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let gate = folder.path().join("gate");
        std::fs::write(&gate, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&gate, std::fs::Permissions::from_mode(0o755)).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let words = vec!["--id".to_owned(), "x".to_owned()];
        let fresh =
            Fresh::spawn_behind(gate.as_os_str(), OsStr::new("/bin/echo"), words, &log).unwrap();
        (folder, fresh, log)
    }

    #[test]
    fn a_start_that_is_given_up_leaves_no_process() {
        let (_folder, fresh, _log) = behind("read -r go && exec sleep 1000");
        let pid = fresh.pinned().seen.pid;
        let pinned = Arc::clone(fresh.pinned());
        drop(fresh);
        assert!(pinned.look_again().unwrap().is_none());
        // reaped, not a zombie
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn a_start_whose_task_is_cancelled_leaves_no_process() {
        let (_folder, fresh, _log) = behind("read -r go && exec sleep 1000");
        let pinned = Arc::clone(fresh.pinned());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let task = runtime.spawn(async move {
            let _held = fresh;
            std::future::pending::<()>().await;
        });
        runtime.block_on(async {
            tokio::task::yield_now().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        });
        assert!(pinned.look_again().unwrap().is_none());
    }

    #[test]
    fn nothing_of_the_jailer_runs_before_the_gate_is_opened() {
        let (folder, mut fresh, _log) = behind("read -r go && shift && exec \"$@\"");
        let log = folder.path().join("log");
        assert!(fresh.ended().is_none());
        assert_eq!(std::fs::read(&log).unwrap(), b"");
        fresh.open_gate().unwrap();
        let mut child = fresh.settle().unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(std::fs::read(&log).unwrap(), b"--id x\n");
    }

    #[test]
    fn a_helper_that_ends_leaves_no_process_at_the_gate() {
        let (_folder, mut fresh, _log) = behind("read -r go && exec sleep 1000");
        // what the end of the helper does: every descriptor is closed
        fresh.gate.take();
        let mut child = fresh.settle().unwrap();
        assert!(!child.wait().unwrap().success());
    }

    /// The numbers of descriptors in a listing of `/proc/self/fd` that come before an arrow.
    fn numbers(listed: &str) -> Vec<u32> {
        let before = listed
            .lines()
            .filter_map(|line| line.split_once(" -> ").map(|(before, _)| before));
        before
            .filter_map(|before| before.rsplit(' ').next()?.parse().ok())
            .collect()
    }

    #[test]
    fn no_descriptor_of_the_helper_comes_along() {
        let list = Command::new("ls").args(["-l", "/proc/self/fd"]).output();
        let inherited = numbers(&String::from_utf8(list.unwrap().stdout).unwrap());
        // some that are open meanwhile, as sockets and other VMs' files are
        let _file = File::open("/dev/zero").unwrap();
        let _socket = std::os::unix::net::UnixDatagram::unbound().unwrap();
        let (folder, mut fresh, _log) = behind("read -r go && exec ls -l /proc/self/fd");
        fresh.open_gate().unwrap();
        let mut child = fresh.settle().unwrap();
        child.wait().unwrap();
        let listed = std::fs::read_to_string(folder.path().join("log")).unwrap();
        // what this test was itself started with comes along, and nothing else
        assert_eq!(numbers(&listed), inherited, "{listed}");
        assert!(!listed.contains("/dev/zero"), "{listed}");
    }
}
