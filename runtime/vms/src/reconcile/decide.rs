//! The decision on one record.

use std::collections::BTreeSet;

use crate::observe::{ProcessInfo, Scan};
use crate::storage::VmRecord;
use crate::vm_uids;

/// What is known of a record's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This is the process.
    Mine(Box<ProcessInfo>),
    /// It is not there any more, for certain.
    Gone(Why),
    /// Neither can be shown; the text says what speaks against either.
    Unsure(String),
}

/// Why a process is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The machine was started again since.
    Rebooted,
    /// It was never spawned: the helper ended between intent and act.
    NeverStarted,
    /// It ended.
    Exited,
}

/// Judges one record by what a look at the processes found. A record that says that its VM has ended
/// is decided like any other. A boot that is not known, an empty `boot_id`, proves nothing.
pub fn decide(record: &VmRecord, boot_id: &str, scan: &Scan) -> Decision {
    if !boot_id.is_empty() && record.boot_id != boot_id {
        return Decision::Gone(Why::Rebooted);
    }
    let Some(process) = &record.process else {
        return decide_intent(record, scan);
    };
    if let Some(reason) = scan.unreadable(process.pid) {
        return Decision::Unsure(format!(
            "process {} is there and cannot be read: {reason}",
            process.pid
        ));
    }
    let at_number = scan
        .at(process.pid)
        .filter(|seen| seen.start_time == process.start_time);
    if let Some(seen) = at_number {
        let other_inode = matches!(
            (seen.pidfd_inode, process.pidfd_inode),
            (Some(now), Some(then)) if now != then
        );
        return match () {
            () if other_inode => Decision::Unsure(format!(
                "process {} has the recorded start time and another identity",
                seen.pid
            )),
            () if seen.uid != record.uid || seen.comm != "firecracker" => {
                Decision::Unsure(format!(
                    "process {} runs {} as uid {}, expected firecracker as uid {}",
                    seen.pid, seen.comm, seen.uid, record.uid
                ))
            }
            () => Decision::Mine(Box::new(seen.clone())),
        };
    }
    match related(record, scan).first() {
        Some(seen) => Decision::Unsure(format!(
            "process {} ({}) has its id, user or scope, but is not the recorded one",
            seen.pid, seen.comm
        )),
        None => Decision::Gone(Why::Exited),
    }
}

/// The helper ended after it wrote that it would spawn, before it wrote what it had spawned.
fn decide_intent(record: &VmRecord, scan: &Scan) -> Decision {
    match related(record, scan).as_slice() {
        // no number to ask the kernel for: that nothing is to be seen proves nothing then
        [] => match scan.blindness() {
            Some(blindness) => Decision::Unsure(format!("it may run unseen: {blindness}")),
            None => Decision::Gone(Why::NeverStarted),
        },
        // only root can take a uid of the range, and the helper gives each to one VM
        [seen] if seen.uid == record.uid && is_named(record, seen) && scan.is_ours(seen) => {
            if seen.comm == "firecracker" {
                Decision::Mine(Box::new((*seen).clone()))
            } else {
                Decision::Unsure(format!("process {} is still {}", seen.pid, seen.comm))
            }
        }
        [seen, ..] => Decision::Unsure(format!(
            "process {} ({}) may be of this VM",
            seen.pid, seen.comm
        )),
    }
}

/// Anything that is tied to a VM, be it weakly: enough to doubt that the VM is gone. By number, each
/// once.
fn related<'scan>(record: &VmRecord, scan: &'scan Scan) -> Vec<&'scan ProcessInfo> {
    let own_scope = format!("banger-vm-{}.scope", record.id);
    let scopes = [Some(own_scope.as_str()), record.scope.as_deref()];
    let in_scope = scopes
        .into_iter()
        .flatten()
        .flat_map(|scope| scan.in_scope(scope));
    // others may use the same uid elsewhere, in their containers
    let with_uid = scan.with_uid(record.uid).filter(|seen| scan.is_ours(seen));
    let mut found: Vec<&ProcessInfo> = with_uid
        .chain(in_scope)
        .chain(scan.named(record.id.as_str()))
        .collect();
    found.sort_by_key(|seen| seen.pid);
    found.dedup_by_key(|seen| seen.pid);
    found
}

/// Its command line carries the VM's id. The jailer hands `--id` on to Firecracker.
fn is_named(record: &VmRecord, seen: &ProcessInfo) -> bool {
    seen.option("--id")
        .is_some_and(|id| id == record.id.as_str())
}

/// The guests that no record accounts for. `known` are the uids whose processes are accounted for.
///
/// A uid alone makes no guest: other software may use the same numbers, in containers above all. A
/// guest lives in a VM's scope, or in the group of a service of banger.
pub fn unmanaged_processes<'scan>(
    known: &BTreeSet<u32>,
    scan: &'scan Scan,
) -> Vec<&'scan ProcessInfo> {
    let unknown = |seen: &&ProcessInfo| is_guest(scan, seen) && !known.contains(&seen.uid);
    scan.all().filter(unknown).collect()
}

/// It runs as a VM, where VMs live.
pub fn is_guest(scan: &Scan, seen: &ProcessInfo) -> bool {
    vm_uids::may_be_of_a_vm(seen.uid) && scan.is_ours(seen)
}
