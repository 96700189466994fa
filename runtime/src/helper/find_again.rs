//! What there is on the host: records, jails and processes, matched. Nothing is held, written or
//! signalled here.
//!
//! Guarantees: one VM whose state is lost or damaged hides no other; a process that may be a guest is
//! a VM's, or is shown as unmanaged; a record that is lost is made anew only of a process that shows
//! all of it: the uid that owns the jail, the VM's scope, and an answer with the VM's id from the
//! socket in the jail.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;

use super::registry::source_of;
use super::scope_name;
use crate::observe::{Blindness, Found, ProcessInfo, Processes, Scan, find_by_api_socket};
use crate::protocol::{VmId, VmName, VmState, VmSummary};
use crate::reconcile::{Decision, decide, unmanaged_processes};
use crate::storage::{
    Handle, Loaded, Places, ProcessRecord, RECORD_SCHEMA, StorageError, Store, VmRecord,
};
use crate::vm_uids;

/// What is asked of the host.
pub(super) struct Host<'a> {
    pub(super) processes: &'a dyn Processes,
    /// Asks the process with that number, over the VM's socket, whether it is the VM. An error says
    /// why it gave no such answer.
    pub(super) ask: &'a dyn Fn(&VmId, u32) -> Result<(), String>,
    /// See [`uid_of_jail`].
    pub(super) uid_of_jail: &'a dyn Fn(&VmId) -> Option<u32>,
}

/// A VM, and what is known of its process.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) record: VmRecord,
    pub(super) decision: Decision,
    /// The record on disk is not this one.
    pub(super) to_write: bool,
}

/// All there is.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) vms: Vec<Finding>,
    /// What is shown and not touched.
    pub(super) others: Vec<VmSummary>,
    /// Uids of jails and processes without a record.
    pub(super) foreign_uids: BTreeSet<u32>,
    /// Why not every process could be seen.
    pub(super) blindness: Option<Blindness>,
}

/// A VM whose record, and its copy, cannot be used.
struct Lost {
    id: VmId,
    error: StorageError,
    uid: Option<u32>,
}

/// Why nothing can be said of the VMs.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unknown {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Processes(#[from] std::io::Error),
}

/// Matches what the disk says with what runs.
pub(super) fn find_again(
    store: &Store,
    places: &Places,
    boot_id: &str,
    host: &Host<'_>,
) -> Result<Findings, Unknown> {
    let (mut records, mut lost) = (Vec::new(), Vec::new());
    for one in store.load()? {
        match one {
            Loaded::Good(record) => records.push((*record, false)),
            Loaded::Broken { id, error, last } => {
                let reason = format!("{error}: {}", source_of(&error));
                if let Some(last) = last {
                    tracing::warn!("VM {id} is read from the copy of its record: {reason}");
                    records.push((*last, true));
                } else {
                    tracing::error!("VM {id} has no record: {reason}");
                    let uid = (host.uid_of_jail)(&id);
                    lost.push(Lost { id, error, uid });
                }
            }
        }
    }
    let scan = look(
        host.processes,
        records.iter().map(|(record, _)| record),
        lost.iter().filter_map(|lost| lost.uid).collect(),
        boot_id,
    )?;
    let vms = records.into_iter().map(|(record, to_write)| Finding {
        decision: decide(&record, boot_id, &scan),
        record,
        to_write,
    });
    let mut findings = Findings {
        vms: vms.collect(),
        blindness: scan
            .blindness()
            .cloned()
            .or_else(|| boot_id.is_empty().then_some(Blindness::NoBoot)),
        ..Findings::default()
    };
    let search = Search {
        places,
        boot_id,
        scan: &scan,
        handles: store.handles(boot_id),
        ask: host.ask,
    };
    for lost in &lost {
        search.add(lost, &mut findings);
    }
    add_unmanaged(boot_id, &scan, &lost, &mut findings);
    Ok(findings)
}

/// Matches records that are known with what runs; of what has no record, all is found that there is.
pub(super) fn find_among(
    records: Vec<VmRecord>,
    boot_id: &str,
    processes: &dyn Processes,
) -> Result<Findings, Unknown> {
    let scan = look(processes, records.iter(), BTreeSet::new(), boot_id)?;
    let vms = records.into_iter().map(|record| Finding {
        decision: decide(&record, boot_id, &scan),
        record,
        to_write: false,
    });
    Ok(Findings {
        vms: vms.collect(),
        others: unmanaged_processes(&BTreeSet::new(), &scan)
            .into_iter()
            .map(unmanaged)
            .collect(),
        blindness: scan.blindness().cloned(),
        ..Findings::default()
    })
}

/// One look for the processes of records, and for whatever runs as root, as a VM, or as one of
/// `uids`.
fn look<'a>(
    processes: &dyn Processes,
    records: impl Iterator<Item = &'a VmRecord>,
    mut uids: BTreeSet<u32>,
    boot_id: &str,
) -> std::io::Result<Scan> {
    let mut recorded = BTreeSet::new();
    for record in records {
        uids.insert(record.uid);
        // numbers of another boot are void
        if boot_id.is_empty() || record.boot_id == boot_id {
            recorded.extend(record.process.as_ref().map(|process| process.pid));
        }
    }
    let of_a_vm = |uid| vm_uids::may_be_of_a_vm(uid) || uids.contains(&uid);
    Scan::take(processes, &recorded, &of_a_vm)
}

fn add_unmanaged(boot_id: &str, scan: &Scan, lost: &[Lost], findings: &mut Findings) {
    let of_this_boot = |found: &&Finding| found.record.boot_id == boot_id;
    let mut known: BTreeSet<u32> = findings
        .vms
        .iter()
        .filter(of_this_boot)
        .map(|found| found.record.uid)
        .collect();
    known.extend(lost.iter().filter_map(|lost| lost.uid));
    let shown: BTreeSet<u32> = findings.others.iter().filter_map(|one| one.pid).collect();
    for seen in unmanaged_processes(&known, scan) {
        findings.foreign_uids.insert(seen.uid);
        if !shown.contains(&seen.pid) {
            findings.others.push(unmanaged(seen));
        }
    }
}

/// What is needed to find the process of a VM without a record.
struct Search<'a> {
    places: &'a Places,
    boot_id: &'a str,
    scan: &'a Scan,
    handles: Vec<Handle>,
    ask: &'a dyn Fn(&VmId, u32) -> Result<(), String>,
}

impl Search<'_> {
    fn add(&self, lost: &Lost, findings: &mut Findings) {
        let of_a_later_version = matches!(lost.error, StorageError::Schema { .. });
        let (seen, doubt) = match self.find(lost) {
            Ok(Some((seen, uid))) if !of_a_later_version => {
                let record = self.record(&lost.id, uid, seen, findings);
                tracing::warn!("VM {} ({}) has a new record", record.name, record.id);
                findings.vms.push(Finding {
                    record,
                    decision: Decision::Mine(Box::new(seen.clone())),
                    to_write: true,
                });
                return;
            }
            Ok(found) => (found.map(|(seen, _)| seen), None),
            Err((seen, doubt)) => (seen, Some(doubt)),
        };
        let why = format!("{}: {}", lost.error, source_of(&lost.error));
        let (state, reason) = match doubt {
            Some(doubt) => (VmState::Unmanaged, format!("{why}; {doubt}")),
            None if seen.is_some() => (VmState::Unmanaged, why),
            None => (VmState::Broken, why),
        };
        findings.foreign_uids.extend(lost.uid);
        let name = self.handle(&lost.id).map(|handle| handle.vm.name.clone());
        let shown = untouchable(
            name.unwrap_or_else(|| lost.id.to_string()),
            Some(lost.id.clone()),
            state,
            reason,
        );
        findings.others.push(match seen {
            Some(seen) => with_process(shown, seen),
            None => shown,
        });
    }

    /// The VM's process and its uid; none when nothing of the VM runs. An error is a doubt, with the
    /// process that it is about.
    #[allow(clippy::type_complexity, reason = "it has one caller, beside it")]
    fn find(
        &self,
        lost: &Lost,
    ) -> Result<Option<(&ProcessInfo, u32)>, (Option<&ProcessInfo>, String)> {
        let scope = scope_name(&lost.id);
        let of_scope = || self.scan.in_scope(&scope);
        let mut related = of_scope().chain(self.scan.named(lost.id.as_str()));
        let of_uid = || {
            let mut all = self.scan.with_uid(lost.uid?);
            all.find(|seen| self.scan.is_ours(seen))
        };
        let any = related.next().or_else(of_uid);
        if let Some(blindness) = self.scan.blindness() {
            return Err((any, format!("it may run unseen: {blindness}")));
        }
        let Some(any) = any else {
            return Ok(None);
        };
        let Some(uid) = lost.uid else {
            return Err((Some(any), "its jail tells no uid".into()));
        };
        // a guest whose record was lost may have been moved into a scope that is named by its number
        let right_scope = |seen: &ProcessInfo| match self.scan.scope_of(seen) {
            Some(found) => found == scope || found.starts_with("banger-vm-process-"),
            None => self.scan.is_ours(seen),
        };
        let candidates: Vec<&ProcessInfo> = self
            .scan
            .with_uid(uid)
            .filter(|seen| seen.comm == "firecracker" && right_scope(seen))
            .collect();
        // what the pidfile says is a hint: the VM itself may have written it
        let hint = match find_by_api_socket(self.scan, &self.places.api_link(&lost.id)) {
            Ok(Found::ByPidfile(pid) | Found::ByCommandLine(pid)) => Some(pid),
            Err(_) => None,
        };
        let hinted = candidates.iter().find(|seen| Some(seen.pid) == hint);
        let seen = match (hinted, candidates.as_slice()) {
            (Some(seen), _) | (None, [seen]) => *seen,
            (None, []) => {
                let doubt = format!("process {} is not provably its own", any.pid);
                return Err((Some(any), doubt));
            }
            (None, [first, ..]) => {
                return Err((Some(first), "several processes may be its own".into()));
            }
        };
        match (self.ask)(&lost.id, seen.pid) {
            Ok(()) => Ok(Some((seen, uid))),
            Err(doubt) => Err((Some(seen), format!("process {}: {doubt}", seen.pid))),
        }
    }

    /// What a record of a running VM says, of what can still be known.
    fn record(&self, id: &VmId, uid: u32, seen: &ProcessInfo, findings: &Findings) -> VmRecord {
        let handle = self.handle(id);
        let is_free = |name: &VmName| findings.vms.iter().all(|vm| vm.record.name != *name);
        let of_handle = handle.and_then(|handle| handle.vm.name.parse().ok());
        let name = of_handle.filter(is_free);
        let cpus = handle.and_then(|handle| handle.vm.cpus?.try_into().ok());
        let memory = handle.and_then(|handle| handle.vm.memory_mib?.try_into().ok());
        VmRecord {
            schema: RECORD_SCHEMA,
            id: id.clone(),
            name: name.unwrap_or_else(|| VmName::of_id(id)),
            cpus: cpus.unwrap_or_default(),
            memory_mib: memory.unwrap_or_default(),
            uid,
            state: VmState::Running,
            reason: None,
            boot_id: self.boot_id.into(),
            started: handle.and_then(|handle| handle.vm.started),
            process: Some(ProcessRecord {
                pid: seen.pid,
                start_time: seen.start_time,
                pidfd_inode: seen.pidfd_inode,
                control_group: seen.control_group.clone(),
                executable: None,
            }),
            scope: self.scan.scope_of(seen).map(str::to_owned),
            ended: None,
        }
    }

    fn handle(&self, id: &VmId) -> Option<&Handle> {
        let mut handles = self.handles.iter();
        handles.find(|handle| handle.vm.id.as_ref() == Some(id))
    }
}

/// Whose the jail is: the owner of its root folder, or of what only the VM or root can have put
/// there. The VM cannot give what it owns to another uid.
pub(super) fn uid_of_jail(places: &Places, id: &VmId) -> Option<u32> {
    let root = places.jail_root(id);
    [
        "",
        "firecracker.socket",
        "firecracker.log",
        "rootfs",
        "kernel",
    ]
    .into_iter()
    .filter_map(|name| root.join(name).symlink_metadata().ok())
    .map(|found| found.uid())
    .find(|uid| vm_uids::may_be_of_a_vm(*uid))
}

fn unmanaged(seen: &ProcessInfo) -> VmSummary {
    let named = seen
        .option("--id")
        .map(|id| id.to_string_lossy().into_owned());
    let name = named.unwrap_or_else(|| format!("process-{}", seen.pid));
    let reason = "not provably ours: no record knows it".to_owned();
    with_process(untouchable(name, None, VmState::Unmanaged, reason), seen)
}

fn with_process(shown: VmSummary, seen: &ProcessInfo) -> VmSummary {
    VmSummary {
        pid: Some(seen.pid),
        start_time: Some(seen.start_time),
        control_group: Some(seen.control_group.clone()),
        ..shown
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

#[cfg(test)]
mod tests;
