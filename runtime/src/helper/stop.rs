//! Ending and removing VMs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Helper, blocking};
use crate::jail;
use crate::observe::Pinned;
use crate::protocol::{Fault, StopVm, VmId, VmName, VmState, VmSummary};

/// How long a process may take to go after SIGTERM, and then after SIGKILL.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(10);

/// Stops a VM: Ctrl-Alt-Del and the grace asked for, then SIGTERM, then SIGKILL. Returns once its
/// process is gone.
pub(super) async fn stop(helper: Arc<Helper>, which: StopVm) -> Result<VmSummary, Fault> {
    let name = which.name.clone();
    let machine = helper.registry.find(&name)?;
    if matches!(machine.record.state, VmState::Stopped | VmState::Failed) {
        return Ok(machine.record.summary());
    }
    let alive = [VmState::Running, VmState::Stopping];
    let machine = helper
        .registry
        .transition(&name, &alive, VmState::Stopping)?;
    let Some(pinned) = machine.pinned else {
        return Err(Fault::WrongState {
            name: name.to_string(),
            state: "without a process that can be held".into(),
        });
    };
    let id = machine.record.id;
    let (worker, held, vm) = (Arc::clone(&helper), Arc::clone(&pinned), id.clone());
    let grace = Duration::from_secs(which.grace_seconds.get().into());
    blocking(move || end(&worker, &vm, &held, grace)).await?;
    // the watcher sees the same exit; whoever is first writes it down
    let summary = helper.registry.update(&id, |machine| {
        machine.record.state = VmState::Stopped;
        machine.pinned = None;
    });
    tracing::info!("VM {name} ({id}) is stopped");
    summary.ok_or_else(|| Fault::NoSuchVm {
        name: name.to_string(),
    })
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

fn is_gone_within(pinned: &Pinned, patience: Duration) -> Result<bool, Fault> {
    let begun = Instant::now();
    loop {
        let found = pinned
            .look_again()
            .map_err(|error| Fault::failed("cannot read its process", error))?;
        if found.is_none() {
            return Ok(true);
        }
        if begun.elapsed() > patience {
            return Ok(false);
        }
        std::thread::sleep(INTERVAL);
    }
}

/// Removes a VM that does not run: jail, disk, log and name.
pub(super) async fn delete(helper: Arc<Helper>, name: VmName) -> Result<VmSummary, Fault> {
    blocking(move || {
        let machine = helper.registry.find(&name)?;
        let state = machine.record.state;
        if !matches!(state, VmState::Stopped | VmState::Failed) || machine.pinned.is_some() {
            return Err(Fault::WrongState {
                name: name.to_string(),
                state: state.word().into(),
            });
        }
        let id = &machine.record.id;
        jail::remove(&helper.places, id)
            .map_err(|error| Fault::failed("cannot remove its jail", error))?;
        helper.registry.forget(id)?;
        tracing::info!("VM {name} ({id}) is deleted");
        Ok(machine.record.summary())
    })
    .await
}
