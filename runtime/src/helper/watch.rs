//! Noticing that a VM ended, and the chores that come round.

use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::console::LastWords;
use super::{Helper, console, recover};
use crate::observe::Pinned;
use crate::protocol::{VmId, VmState};

/// Between two rounds of chores.
const ROUND: Duration = Duration::from_secs(5);

/// Watches a VM's process until it ends, and reaps it when it is ours.
pub(super) fn begin(helper: &Arc<Helper>, id: &VmId, pinned: Arc<Pinned>, child: Option<Child>) {
    let (helper, id) = (Arc::clone(helper), id.clone());
    tokio::spawn(async move {
        if let Err(error) = exited(&pinned).await {
            tracing::error!("VM {id} cannot be watched: {error}");
            return;
        }
        let status = child.and_then(|mut child| child.wait().ok());
        note_exit(&helper, &id, status);
    });
}

/// A pidfd turns readable when its process exits (`pidfd_open(2)`).
async fn exited(pinned: &Pinned) -> std::io::Result<()> {
    let pidfd: OwnedFd = pinned.as_fd().try_clone_to_owned()?;
    #[expect(
        deprecated,
        reason = "the successor is unsafe fn, for types whose descriptor may change under tokio; \
                  an OwnedFd's cannot"
    )]
    let watched = AsyncFd::with_interest(pidfd, Interest::READABLE)?;
    watched.readable().await?.retain_ready();
    Ok(())
}

fn note_exit(helper: &Helper, id: &VmId, status: Option<ExitStatus>) {
    let last = console::last_words(&helper.places, id);
    let summary = helper.registry.update(id, |machine| {
        machine.pinned = None;
        let (state, reason) = judge_exit(machine.record.state, status, last);
        machine.record.state = state;
        if machine.record.reason.is_none() {
            machine.record.reason = reason;
        }
    });
    if let Some(summary) = summary {
        tracing::info!("VM {} ({id}) ended: {}", summary.name, summary.state.word());
    }
}

/// The state after an exit. A helper that did not spawn the process never learns its status; then
/// Firecracker's own last words decide (`vmm` logs `exit_code=0` when a guest shuts down).
pub(super) fn judge_exit(
    before: VmState,
    status: Option<ExitStatus>,
    last: LastWords,
) -> (VmState, Option<String>) {
    let shut_down = || (VmState::Stopped, Some("the guest shut down".into()));
    let says_zero = |line: &String| line.contains("exit_code=0");
    let ended_well = last.firecracker.as_ref().is_some_and(says_zero);
    match (before, status, last.console) {
        (VmState::Stopping | VmState::Stopped, _, _) => (VmState::Stopped, None),
        (VmState::Failed, _, _) => (VmState::Failed, None),
        // the start that waits for it has more to say
        (VmState::Starting, Some(_), _) => (VmState::Starting, None),
        (_, Some(status), _) if status.success() => shut_down(),
        (_, None, _) if ended_well => shut_down(),
        (_, Some(status), line) => {
            let line = line.map(|line| format!(": {line}")).unwrap_or_default();
            (
                VmState::Failed,
                Some(format!("Firecracker ended with {status}{line}")),
            )
        }
        (_, None, line) => {
            let line = line
                .map(|line| format!("; last line: {line}"))
                .unwrap_or_default();
            (VmState::Failed, Some(format!("its process ended{line}")))
        }
    }
}

/// Cuts logs that have grown too long, and looks again at VMs that were in doubt.
pub(super) async fn tick(helper: Arc<Helper>) {
    loop {
        tokio::time::sleep(ROUND).await;
        let worker = Arc::clone(&helper);
        let found = tokio::task::spawn_blocking(move || {
            for machine in worker.registry.machines() {
                let id = &machine.record.id;
                if let Err(error) = console::rotate(&worker.places, id) {
                    tracing::warn!("the log of VM {id} cannot be cut: {error}");
                }
            }
            recover::look_again(&worker)
        });
        for (id, pinned) in found.await.unwrap_or_default() {
            begin(&helper, &id, pinned, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn the_table_of_exits() {
        let killed = Some(ExitStatus::from_raw(9));
        let ended = Some(ExitStatus::from_raw(0));
        let last = |text: &str| LastWords {
            firecracker: Some(text.to_owned()),
            console: Some("Kernel panic".into()),
        };
        let silent = LastWords::default;
        for (before, status, words, expected) in [
            (VmState::Stopping, killed, silent(), VmState::Stopped),
            (VmState::Running, ended, silent(), VmState::Stopped),
            (VmState::Starting, killed, silent(), VmState::Starting),
            (VmState::Running, killed, silent(), VmState::Failed),
            (VmState::Running, None, silent(), VmState::Failed),
            (
                VmState::Running,
                None,
                last("Firecracker exiting successfully. exit_code=0"),
                VmState::Stopped,
            ),
            (VmState::Running, None, last("exit_code=1"), VmState::Failed),
            (VmState::Failed, ended, silent(), VmState::Failed),
        ] {
            let case = format!("{before:?} {status:?} {words:?}");
            assert_eq!(judge_exit(before, status, words).0, expected, "{case}");
        }
    }
}
