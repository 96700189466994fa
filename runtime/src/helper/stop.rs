//! Ending and removing VMs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Signal;

use super::control_group::{ScopeEndError, end_scope};
use super::registry::source_of;
use super::{Helper, blocking};
use crate::jail;
use crate::observe::Pinned;
use crate::protocol::{EndCause, Fault, StopVm, VmId, VmName, VmState, VmSummary};
use crate::storage::{ENDING_SCHEMA, Ending, Endings, VmRecord};

/// How long a process may take to go after SIGTERM, and then after SIGKILL.
const PATIENCE: Duration = Duration::from_secs(2);

/// Stops a VM: Ctrl-Alt-Del and the grace asked for, then SIGTERM, then SIGKILL, then whatever is
/// left in its scope. Returns once all its processes are gone.
pub(super) async fn stop(helper: Arc<Helper>, which: StopVm) -> Result<VmSummary, Fault> {
    blocking(move || stop_now(&helper, &which)).await
}

fn stop_now(helper: &Helper, which: &StopVm) -> Result<VmSummary, Fault> {
    let name = &which.name;
    let machine = helper.registry.find(name)?;
    if matches!(machine.record.state, VmState::Stopped | VmState::Failed) {
        return Ok(machine.record.summary());
    }
    // on disk before the first signal: whoever finds the VM gone knows that it was asked for
    let alive = [VmState::Running, VmState::Stopping];
    let machine = helper
        .registry
        .transition(name, &alive, VmState::Stopping)?;
    let Some(pinned) = machine.pinned else {
        return Err(Fault::WrongState {
            name: name.to_string(),
            state: "without a process that can be held".into(),
        });
    };
    let id = machine.record.id;
    let grace = Duration::from_secs(which.grace_seconds.get().into());
    // where it is now: an installer may have moved it since it was recorded
    let control_group = pinned
        .look_again()
        .ok()
        .flatten()
        .map(|seen| seen.control_group)
        .or_else(|| Some(machine.record.process?.control_group));
    end(helper, &id, &pinned, grace)?;
    if let Some(group) = control_group {
        end_scope(&id, &group).map_err(scope_fault)?;
    }
    // the watcher sees the same exit; whoever is first writes it down
    let summary = helper.registry.update(&id, |machine| {
        machine.record.state = VmState::Stopped;
        machine.record.ended.get_or_insert(EndCause::Asked);
        machine.pinned = None;
    });
    tracing::info!("VM {name} ({id}) is stopped");
    summary.ok_or_else(|| Fault::NoSuchVm {
        name: name.to_string(),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn scope_fault(error: ScopeEndError) -> Fault {
    Fault::failed(&error, source_of(&error))
}

fn end(helper: &Helper, id: &VmId, pinned: &Pinned, grace: Duration) -> Result<(), Fault> {
    if !grace.is_zero() {
        // a guest without a keyboard controller does not take it; then the grace runs out
        if let Err(error) = jail::send_ctrl_alt_del(&helper.places.jail_socket(id), pinned.seen.pid)
        {
            tracing::debug!("VM {id} took no Ctrl-Alt-Del: {error}");
        }
        if is_gone_within(pinned, grace)? {
            return Ok(());
        }
    }
    for signal in [Signal::TERM, Signal::KILL] {
        pinned
            .signal(signal)
            .map_err(|error| Fault::failed("cannot signal its process", error))?;
        if is_gone_within(pinned, PATIENCE)? {
            return Ok(());
        }
    }
    Err(Fault::Failed {
        reason: format!("process {} does not end", pinned.seen.pid),
    })
}

/// A pidfd turns readable when its process has ended, all threads of it (`pidfd_open(2)`): a main
/// thread that exited alone is not the end.
fn is_gone_within(pinned: &Pinned, patience: Duration) -> Result<bool, Fault> {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let failed = |error: std::io::Error| Fault::failed("cannot wait for its process", error);
        let timeout =
            Timespec::try_from(left).map_err(|error| failed(std::io::Error::other(error)))?;
        match poll(&mut [PollFd::new(pinned, PollFlags::IN)], Some(&timeout)) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(failed(error.into())),
        }
    }
}

/// Removes a VM that does not run: jail, disk, log and name, and what is left in its scope.
pub(super) async fn delete(helper: Arc<Helper>, name: VmName) -> Result<VmSummary, Fault> {
    blocking(move || {
        let machine = helper.registry.find(&name)?;
        let record = &machine.record;
        let state = record.state;
        if !matches!(state, VmState::Stopped | VmState::Failed) || machine.pinned.is_some() {
            return Err(Fault::WrongState {
                name: name.to_string(),
                state: state.word().into(),
            });
        }
        let id = &record.id;
        if let Some(process) = &record.process {
            end_scope(id, &process.control_group).map_err(scope_fault)?;
        }
        jail::remove(&helper.places, id)
            .map_err(|error| Fault::failed("cannot remove its jail", error))?;
        keep_ending(&helper, record);
        helper.registry.forget(id)?;
        tracing::info!("VM {name} ({id}) is deleted");
        Ok(record.summary())
    })
    .await
}

/// How it ended must not go with its record: an operation that is in progress may still ask. A disk
/// that takes no more is no reason to keep the VM that fills it.
fn keep_ending(helper: &Helper, record: &VmRecord) {
    let Some(cause) = record.ended else {
        return;
    };
    let ending = Ending {
        schema: ENDING_SCHEMA,
        id: record.id.clone(),
        cause,
        time: Timestamp::now(),
        boot_id: helper.registry.boot_id().to_owned(),
    };
    if let Err(error) = Endings::at(&helper.places).keep(&ending) {
        tracing::error!("{error}: {}", source_of(&error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_its_pidfd_says_so_and_not_before() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pinned = Pinned::pin(child.id()).unwrap().unwrap();
        assert!(!is_gone_within(&pinned, Duration::ZERO).unwrap());
        drop(child.stdin.take());
        // not reaped: it has ended all the same
        assert!(is_gone_within(&pinned, Duration::from_secs(60)).unwrap());
        child.wait().unwrap();
        assert!(is_gone_within(&pinned, Duration::ZERO).unwrap());
    }
}
