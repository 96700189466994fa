//! Noticing that a VM ended, and the chores that come round.

use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Semaphore;

use super::console::LastWords;
use super::control_group::end_scope;
use super::{Helper, console, recover, start};
use crate::observe::Pinned;
use crate::protocol::{EndCause, VmId, VmState};

/// Between two rounds of chores, while there are any.
const ROUND: Duration = Duration::from_secs(5);

/// Chores of VMs that use files at the same time. A helper that finds a thousand VMs again, or sees
/// as many end, takes no more threads for them.
static CHORES: Semaphore = Semaphore::const_new(4);

/// Runs a chore on a thread for that.
async fn chore<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    // it is never closed
    let _permit = CHORES.acquire().await.ok()?;
    let done = tokio::task::spawn_blocking(work).await;
    done.inspect_err(|error| tracing::error!("a chore of a VM ended early: {error}"))
        .ok()
}

/// Watches a VM's process and its logs until it ends, and reaps it when it is ours.
pub(super) fn begin(helper: &Arc<Helper>, id: &VmId, pinned: Arc<Pinned>, child: Option<Child>) {
    let (helper, id) = (Arc::clone(helper), id.clone());
    tokio::spawn(async move {
        let (worker, vm, process) = (Arc::clone(&helper), id.clone(), Arc::clone(&pinned));
        let adopted = child.is_none();
        let logs = chore(move || {
            if adopted {
                start::finish_adopted(&worker, &vm, &process);
            }
            worker.logs.watch(&worker.places, &vm)
        });
        let logs = logs.await;
        if let Err(error) = exited(&pinned).await {
            tracing::error!("VM {id} cannot be watched: {error}");
            return;
        }
        let status = child.and_then(|mut child| child.wait().ok());
        chore(move || {
            if let Some(logs) = logs {
                helper.logs.forget(logs);
            }
            note_exit(&helper, &id, status);
        })
        .await;
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
    let mut control_group = None;
    let summary = helper.registry.update(id, |machine| {
        machine.pinned = None;
        let record = &mut machine.record;
        let (state, reason, cause) = decide_exit(record.state, status, last);
        record.state = state;
        if record.reason.is_none() {
            record.reason = reason;
        }
        record.ended.get_or_insert(cause);
        let process = record.process.as_ref();
        control_group = process.map(|process| process.control_group.clone());
    });
    let Some(summary) = summary else {
        return;
    };
    tracing::info!("VM {} ({id}) ended: {}", summary.name, summary.state.word());
    // whatever a VMM that was taken over had forked
    if let Some(Err(error)) = control_group.map(|group| end_scope(id, &group)) {
        tracing::error!("{error}: {}", super::registry::source_of(&error));
    }
    bound_logs(helper, id);
}

/// The state after an exit, why, and who asked for it. A helper that did not spawn the process never
/// learns its status: the kernel keeps it for holders of a pidfd (`PIDFD_INFO_EXIT`, Linux 6.15),
/// but no safe interface reads it there. Then Firecracker's own last words decide (`vmm` logs
/// `exit_code=0` when a guest shuts down). A VMM that was taken over can write them; all that it
/// gains is that its own end is nobody's fault.
pub(super) fn decide_exit(
    before: VmState,
    status: Option<ExitStatus>,
    last: LastWords,
) -> (VmState, Option<String>, EndCause) {
    let says_zero = |line: &String| line.contains("exit_code=0");
    let ended_well = match status {
        Some(status) => status.success(),
        None => last.firecracker.as_ref().is_some_and(says_zero),
    };
    let line = last.console;
    match before {
        // the request was on disk before the first signal
        VmState::Stopping | VmState::Stopped => (VmState::Stopped, None, EndCause::Asked),
        // its guest never ran, so nobody lost it: the helper that started it gave it up, or ended
        VmState::Failed => (VmState::Failed, None, EndCause::Asked),
        VmState::Starting => {
            let reason = format!("its start was interrupted{}", tail("; last line: ", line));
            (VmState::Failed, Some(reason), EndCause::Asked)
        }
        _ if ended_well => (
            VmState::Stopped,
            Some("the guest shut down".into()),
            EndCause::Guest,
        ),
        _ => {
            let reason = match status {
                Some(status) => format!("Firecracker ended with {status}{}", tail(": ", line)),
                None => format!("its process ended{}", tail("; last line: ", line)),
            };
            (VmState::Failed, Some(reason), EndCause::Unexplained)
        }
    }
}

fn tail(before: &str, line: Option<String>) -> String {
    line.map(|line| format!("{before}{line}"))
        .unwrap_or_default()
}

/// Cuts logs that have grown too long, and looks again at VMs that were in doubt. Nothing wakes it
/// while no log is written and no VM is in doubt.
pub(super) async fn tick(helper: Arc<Helper>) {
    loop {
        let rounds = helper.logs.needs_rounds() || helper.registry.is_in_doubt();
        tokio::select! {
            written = helper.logs.written() => {
                if let Err(error) = written {
                    tracing::error!("logs cannot be watched: {error}");
                }
                // a guest that writes all the time is one chore a round
                tokio::time::sleep(ROUND).await;
            }
            () = tokio::time::sleep(ROUND), if rounds => {}
        }
        helper.logs.drain();
        let worker = Arc::clone(&helper);
        let found = tokio::task::spawn_blocking(move || {
            let mut cut = false;
            for machine in worker.registry.machines() {
                if machine.pinned.is_some() {
                    cut |= bound_logs(&worker, &machine.record.id);
                }
            }
            if cut {
                // the cut itself is no news
                worker.logs.drain();
            }
            recover::look_again(&worker)
        });
        for (id, pinned) in found.await.unwrap_or_default() {
            begin(&helper, &id, pinned, None);
        }
    }
}

fn bound_logs(helper: &Helper, id: &VmId) -> bool {
    match console::bound(&helper.places, id) {
        Ok(cut) => cut,
        Err(error) => {
            tracing::warn!("the logs of VM {id} cannot be cut: {error}");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn the_table_of_exits() {
        use EndCause::{Asked, Guest, Unexplained};
        use VmState::{Failed, Running, Starting, Stopped, Stopping};
        let killed = Some(ExitStatus::from_raw(9));
        let ended = Some(ExitStatus::from_raw(0));
        let last = |text: &str| LastWords {
            firecracker: Some(text.to_owned()),
            console: Some("Kernel panic".into()),
        };
        let silent = LastWords::default;
        for (before, status, words, expected, cause) in [
            (Stopping, killed, silent(), Stopped, Asked),
            (Stopped, killed, silent(), Stopped, Asked),
            (Running, ended, silent(), Stopped, Guest),
            (Running, killed, silent(), Failed, Unexplained),
            (Running, None, silent(), Failed, Unexplained),
            (Running, None, last("bye. exit_code=0"), Stopped, Guest),
            (Running, None, last("exit_code=1"), Failed, Unexplained),
            // what a taken-over VMM writes counts for nothing where the kernel says more
            (Running, killed, last("exit_code=0"), Failed, Unexplained),
            // adopted while it was in doubt, then gone
            (VmState::Unmanaged, None, silent(), Failed, Unexplained),
            (Starting, killed, silent(), Failed, Asked),
            (Starting, None, silent(), Failed, Asked),
            (Failed, ended, silent(), Failed, Asked),
        ] {
            let case = format!("{before:?} {status:?} {words:?}");
            let (state, _, found) = decide_exit(before, status, words);
            assert_eq!((state, found), (expected, cause), "{case}");
        }
    }
}
