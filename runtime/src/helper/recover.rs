//! After a start of the helper: what runs is found again, from the kernel and not from memory.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::console::LastWords;
use super::find_again::{Finding, Findings, Host, Unknown, find_again, find_among, uid_of_jail};
use super::registry::{Content, Machine, source_of};
use super::{Helper, HelperError, console, start, watch};
use crate::jail;
use crate::observe::{HostProcesses, Pinned, ProcessInfo};
use crate::protocol::{EndCause, VmId, VmState};
use crate::reconcile::{Decision, Why};
use crate::storage::Places;

/// How long VMs without a record may be asked for their ids, all together. Those that are left are
/// shown as unmanaged, and asked at the next look.
const PATIENCE: Duration = Duration::from_secs(5);

impl From<Unknown> for HelperError {
    fn from(error: Unknown) -> Self {
        match error {
            Unknown::Storage(error) => Self::Storage(error),
            Unknown::Processes(error) => Self::Processes(error),
        }
    }
}

/// Reads records and processes, matches them, publishes what stands, and watches what runs.
pub(super) fn recover(helper: &Arc<Helper>) -> Result<(), HelperError> {
    let content = content(helper, search(helper)?);
    if let Some(blindness) = &content.blindness {
        tracing::error!("changes are refused: {blindness}; {}", blindness.hint());
    }
    for other in &content.others {
        let reason = other.reason.as_deref().unwrap_or_default();
        tracing::warn!("{} is left alone: {reason}", other.name);
    }
    let alive: Vec<(VmId, Arc<Pinned>)> = content.machines.iter().filter_map(held).collect();
    helper.registry.fill(content);
    for (id, pinned) in alive {
        watch::begin(helper, &id, pinned, None);
    }
    Ok(())
}

fn search(helper: &Helper) -> Result<Findings, Unknown> {
    let registry = &helper.registry;
    let begun = Instant::now();
    let ask = |id: &VmId, pid: u32| {
        if begun.elapsed() > PATIENCE {
            return Err("it was not asked yet".to_owned());
        }
        ask_for_id(&helper.places, id, pid)
    };
    let host = Host {
        processes: &HostProcesses,
        ask: &ask,
        uid_of_jail: &|id| uid_of_jail(&helper.places, id),
    };
    find_again(registry.store(), &helper.places, registry.boot_id(), &host)
}

/// Asks over the socket in the jail; the kernel says who listens there.
fn ask_for_id(places: &Places, id: &VmId, pid: u32) -> Result<(), String> {
    match jail::ask_instance(&places.jail_socket(id), pid) {
        Ok(instance) if instance.id == id.as_str() => Ok(()),
        Ok(_) => Err("it says that it is another VM".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Holds what was found, and writes down what has changed. Who cannot see writes nothing.
fn content(helper: &Helper, findings: Findings) -> Content {
    let blindness = findings.blindness;
    let store = helper.registry.store();
    let mut machines = Vec::with_capacity(findings.vms.len());
    for found in findings.vms {
        let before = (!found.to_write).then(|| found.record.clone());
        let cut_off = start::state_before_end(&found.record) == VmState::Starting;
        // a copy may be behind: that it says so is no reason to remove a disk
        let cut_off = cut_off && before.is_some();
        let machine = settle(found, &helper.places);
        let record = &machine.record;
        let has_ended = matches!(record.state, VmState::Stopped | VmState::Failed);
        if cut_off && has_ended && blindness.is_none() {
            start::leave_nothing(&helper.places, record);
        }
        let changed = before.as_ref() != Some(record);
        // most are as they were, and each write is synced
        let is_kept = !changed && (machine.pinned.is_none() || store.has_copy(record));
        if !is_kept
            && blindness.is_none()
            && let Err(error) = store.save(record)
        {
            tracing::error!("{error}: {}", source_of(&error));
        }
        if machine.pinned.is_some() || changed {
            let (name, id) = (&record.name, &record.id);
            tracing::info!("VM {name} ({id}) is {}", record.state.word());
        }
        if machine.pinned.is_some() && blindness.is_none() {
            link_again(&helper.places, &record.id);
        }
        machines.push(machine);
    }
    Content {
        machines,
        others: findings.others,
        foreign_uids: findings.foreign_uids,
        blindness,
    }
}

/// Makes the host's link to a VM's API socket anew where it is lost.
fn link_again(places: &Places, id: &VmId) {
    match symlink(places.jail_socket(id), places.api_link(id)) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            tracing::warn!("VM {id} has no link to its API socket: {error}");
        }
        _ => {}
    }
}

fn held(machine: &Machine) -> Option<(VmId, Arc<Pinned>)> {
    let pinned = machine.pinned.as_ref()?;
    Some((machine.record.id.clone(), Arc::clone(pinned)))
}

/// Judges again what was in doubt, and returns the VMs that turned out to run.
pub(super) fn look_again(helper: &Helper) -> Vec<(VmId, Arc<Pinned>)> {
    let registry = &helper.registry;
    if !registry.is_in_doubt() {
        return Vec::new();
    }
    let was_blind = registry.was_blind();
    // the disk is read again only for what has no record in memory
    let looked = if was_blind || registry.lacks_records() {
        search(helper)
    } else {
        let doubtful = registry.machines_in_doubt();
        find_among(doubtful, registry.boot_id(), &HostProcesses)
    };
    let Ok(mut findings) = looked else {
        return Vec::new();
    };
    if findings.blindness.is_some() {
        return Vec::new();
    }
    let doubtful = registry.ids_in_doubt();
    if !was_blind {
        // what is decided may have been changed by a request since it was read
        findings
            .vms
            .retain(|found| doubtful.contains(&found.record.id));
    }
    let content = content(helper, findings);
    let held_before: BTreeSet<VmId> = registry
        .machines()
        .iter()
        .filter_map(held)
        .map(|(id, _)| id)
        .collect();
    let mut found: Vec<_> = content.machines.iter().filter_map(held).collect();
    found.retain(|(id, _)| !held_before.contains(id));
    if was_blind {
        // no request changed anything meanwhile
        registry.fill(content);
    } else {
        registry.settle_doubts(content.machines, &content.others);
    }
    found
}

/// A record as it stands by what the kernel shows.
fn settle(found: Finding, places: &Places) -> Machine {
    let mut record = found.record;
    if record.state == VmState::Running {
        start::note_that_it_ran(places, &mut record);
    }
    let (state, reason, ended, pinned) = match hold(found.decision) {
        Held::Mine(pinned) => {
            let executable = record.process.take().and_then(|process| process.executable);
            record.process = Some(crate::storage::ProcessRecord {
                executable,
                ..start::process_record(&pinned)
            });
            record.scope = scope_of(&pinned.seen);
            // a stop that was asked for stays one, so that the end that it brings is explained
            let state = match record.state {
                VmState::Stopping => VmState::Stopping,
                _ => VmState::Running,
            };
            (state, None, None, Some(Arc::new(pinned)))
        }
        Held::Unsure(doubt) => {
            // said once, however often it is looked at
            if record.state != VmState::Unmanaged {
                tracing::warn!("VM {} is left alone: {doubt}", record.name);
            }
            (
                VmState::Unmanaged,
                Some(format!("not provably ours: {doubt}")),
                record.ended,
                None,
            )
        }
        Held::Gone(_) if matches!(record.state, VmState::Stopped | VmState::Failed) => {
            (record.state, record.reason.take(), record.ended, None)
        }
        // it had ended before it came into doubt
        Held::Gone(_) if record.ended.is_some() => {
            let state = match record.ended {
                Some(EndCause::Unexplained) => VmState::Failed,
                _ => VmState::Stopped,
            };
            (state, None, record.ended, None)
        }
        Held::Gone(Why::Rebooted) => (
            VmState::Stopped,
            Some("the machine was started again".into()),
            record.ended,
            None,
        ),
        Held::Gone(Why::NeverStarted) => {
            let (state, reason, cause) =
                watch::decide_exit(VmState::Starting, None, LastWords::default());
            (state, reason, Some(cause), None)
        }
        Held::Gone(Why::Exited) => {
            let last = console::last_words(places, &record.id);
            let before = start::state_before_end(&record);
            let (state, reason, cause) = watch::decide_exit(before, None, last);
            (state, reason, Some(cause), None)
        }
    };
    (record.state, record.reason, record.ended) = (state, reason, ended);
    Machine { record, pinned }
}

enum Held {
    Mine(Pinned),
    Gone(Why),
    Unsure(String),
}

/// Pins the process of a decision: from here on it is held, and was the same when it was decided.
fn hold(decision: Decision) -> Held {
    match decision {
        Decision::Mine(seen) => match Pinned::pin(seen.pid) {
            Ok(Some(pinned)) if is_still(&pinned, &seen) => Held::Mine(pinned),
            Ok(_) => Held::Unsure(format!("process {} changed while it was read", seen.pid)),
            Err(error) => Held::Unsure(format!("process {} cannot be held: {error}", seen.pid)),
        },
        Decision::Gone(why) => Held::Gone(why),
        Decision::Unsure(doubt) => Held::Unsure(doubt),
    }
}

fn is_still(pinned: &Pinned, seen: &ProcessInfo) -> bool {
    let now = &pinned.seen;
    now.is_same_process(seen) && now.uid == seen.uid && now.comm == seen.comm && !now.exited
}

fn scope_of(seen: &ProcessInfo) -> Option<String> {
    let last = seen.control_group.rsplit('/').next()?;
    last.ends_with(".scope").then(|| last.to_owned())
}

#[cfg(test)]
mod tests;
