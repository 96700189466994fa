//! After a start of the helper: what runs is found again, from the kernel and not from memory.

use std::sync::Arc;

use super::console::LastWords;
use super::registry::{Machine, source_of};
use super::{Helper, HelperError, console, start, watch};
use crate::observe::{HostProcesses, Pinned, Processes as _, Seen};
use crate::protocol::{VmId, VmState, VmSummary};
use crate::reconcile::{Verdict, Why, judge, strangers};
use crate::storage::{Loaded, Places, VmRecord};

/// Reads records and processes, matches them, publishes what stands, and watches what runs.
pub(super) fn recover(helper: &Arc<Helper>) -> Result<(), HelperError> {
    let registry = &helper.registry;
    let loaded = registry.store().load()?;
    let processes = HostProcesses.see_all().map_err(HelperError::Processes)?;
    let (mut records, mut others) = (Vec::new(), Vec::new());
    for one in loaded {
        match one {
            Loaded::Good(record) => records.push(*record),
            Loaded::Broken { id, error } => {
                let reason = format!("{error}: {}", source_of(&error));
                tracing::error!("VM {id} is left alone: {reason}");
                others.push(untouchable(
                    id.to_string(),
                    Some(id),
                    VmState::Broken,
                    reason,
                ));
            }
        }
    }
    let foreign = strangers(&records, &processes);
    let foreign_uids = foreign.iter().map(|seen| seen.uid).collect();
    others.extend(foreign.into_iter().map(stranger));
    let before = records.clone();
    let machines: Vec<Machine> = records
        .into_iter()
        .map(|record| settle(record, registry.boot_id(), &processes, &helper.places))
        .collect();
    for machine in &machines {
        let record = &machine.record;
        tracing::info!(
            "VM {} ({}) is {}",
            record.name,
            record.id,
            record.state.word()
        );
        // most are as they were, and each write is synced
        if watch::was_cut_off(&before, record) {
            start::leave_nothing(&helper.places, record);
        }
        let changed = before.iter().all(|one| one != record);
        if changed && let Err(error) = registry.store().save(record) {
            tracing::error!("{error}: {}", source_of(&error));
        }
    }
    let alive: Vec<(VmId, Arc<Pinned>)> = machines.iter().filter_map(held).collect();
    registry.fill(machines, others, foreign_uids);
    for (id, pinned) in alive {
        watch::begin(helper, &id, pinned, None);
    }
    Ok(())
}

fn held(machine: &Machine) -> Option<(VmId, Arc<Pinned>)> {
    let pinned = machine.pinned.as_ref()?;
    Some((machine.record.id.clone(), Arc::clone(pinned)))
}

/// Judges again the VMs that were in doubt, and returns those that turned out to run.
pub(super) fn look_again(helper: &Helper) -> Vec<(VmId, Arc<Pinned>)> {
    let doubtful = |machine: &Machine| machine.record.state == VmState::Unmanaged;
    let machines = helper.registry.machines();
    if !machines.iter().any(doubtful) {
        return Vec::new();
    }
    let Ok(processes) = HostProcesses.see_all() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for machine in machines.into_iter().filter(doubtful) {
        let id = machine.record.id.clone();
        let now = settle(
            machine.record,
            helper.registry.boot_id(),
            &processes,
            &helper.places,
        );
        if now.record.state != VmState::Unmanaged {
            found.extend(held(&now));
            helper.registry.update(&id, |machine| *machine = now);
        }
    }
    found
}

/// A record as it stands by what the kernel shows.
fn settle(mut record: VmRecord, boot_id: &str, processes: &[Seen], places: &Places) -> Machine {
    if matches!(record.state, VmState::Stopped | VmState::Failed) {
        return Machine {
            record,
            pinned: None,
        };
    }
    let verdict = hold(judge(&record, boot_id, processes));
    let (state, reason, ended, pinned) = match verdict {
        Held::Mine(pinned) => {
            let executable = record.process.take().and_then(|process| process.executable);
            record.process = Some(crate::storage::ProcessRecord {
                executable,
                ..start::process_record(&pinned)
            });
            record.scope = scope_of(&pinned.seen);
            (VmState::Running, None, None, Some(Arc::new(pinned)))
        }
        Held::Unsure(doubt) => {
            tracing::warn!("VM {} is left alone: {doubt}", record.name);
            (
                VmState::Unmanaged,
                Some(format!("not provably ours: {doubt}")),
                None,
                None,
            )
        }
        Held::Gone(Why::Rebooted) => (
            VmState::Stopped,
            Some("the machine was started again".into()),
            record.ended,
            None,
        ),
        Held::Gone(Why::NeverStarted) => {
            let (state, reason, cause) =
                watch::judge_exit(VmState::Starting, None, LastWords::default());
            (state, reason, Some(cause), None)
        }
        Held::Gone(Why::Exited) => {
            let last = console::last_words(places, &record.id);
            let (state, reason, cause) = watch::judge_exit(record.state, None, last);
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

/// Pins the process of a verdict: from here on it is held, and was the same when it was judged.
fn hold(verdict: Verdict) -> Held {
    match verdict {
        Verdict::Mine(seen) => match Pinned::pin(seen.pid) {
            Ok(Some(pinned)) if pinned.seen == *seen => Held::Mine(pinned),
            Ok(_) => Held::Unsure(format!("process {} changed while it was read", seen.pid)),
            Err(error) => Held::Unsure(format!("process {} cannot be held: {error}", seen.pid)),
        },
        Verdict::Gone(why) => Held::Gone(why),
        Verdict::Unsure(doubt) => Held::Unsure(doubt),
    }
}

fn scope_of(seen: &Seen) -> Option<String> {
    let last = seen.control_group.rsplit('/').next()?;
    last.ends_with(".scope").then(|| last.to_owned())
}

fn stranger(seen: &Seen) -> VmSummary {
    let named = seen
        .option("--id")
        .map(|id| id.to_string_lossy().into_owned());
    let name = named.unwrap_or_else(|| format!("process-{}", seen.pid));
    let reason = "not provably ours: no record knows it".to_owned();
    VmSummary {
        pid: Some(seen.pid),
        start_time: Some(seen.start_time),
        control_group: Some(seen.control_group.clone()),
        ..untouchable(name, None, VmState::Unmanaged, reason)
    }
}

fn untouchable(name: String, id: Option<VmId>, state: VmState, reason: String) -> VmSummary {
    VmSummary {
        name,
        id,
        state,
        reason: Some(reason),
        pid: None,
        start_time: None,
        control_group: None,
        cpus: None,
        memory_mib: None,
        started: None,
        ended: None,
    }
}
