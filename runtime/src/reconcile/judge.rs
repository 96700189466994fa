//! The verdict on one record.

use crate::observe::Seen;
use crate::storage::VmRecord;

/// The first uid that VMs run as. The range is above those of useradd(8), systemd's dynamic users
/// and nspawn's containers up to 524287 (systemd.io/UIDS-GIDS).
pub const FIRST_UID: u32 = 600_000;
/// The last uid that VMs run as.
pub const LAST_UID: u32 = 665_535;

/// What is known of a record's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This is the process.
    Mine(Box<Seen>),
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

/// Judges one record by all the processes that there are.
pub fn judge(record: &VmRecord, boot_id: &str, processes: &[Seen]) -> Verdict {
    if record.boot_id != boot_id {
        return Verdict::Gone(Why::Rebooted);
    }
    let living = || processes.iter().filter(|seen| !seen.exited);
    let Some(process) = &record.process else {
        return judge_intent(record, living());
    };
    let at_number =
        living().find(|seen| seen.pid == process.pid && seen.start_time == process.start_time);
    if let Some(seen) = at_number {
        let other_inode = matches!(
            (seen.pidfd_inode, process.pidfd_inode),
            (Some(now), Some(then)) if now != then
        );
        return match () {
            () if other_inode => Verdict::Unsure(format!(
                "process {} has the recorded start time and another identity",
                seen.pid
            )),
            () if seen.uid != record.uid || seen.comm != "firecracker" => Verdict::Unsure(format!(
                "process {} runs {} as uid {}, expected firecracker as uid {}",
                seen.pid, seen.comm, seen.uid, record.uid
            )),
            () => Verdict::Mine(Box::new(seen.clone())),
        };
    }
    match living().find(|seen| is_kin(record, seen)) {
        Some(seen) => Verdict::Unsure(format!(
            "process {} ({}) has its id or user, but is not the recorded one",
            seen.pid, seen.comm
        )),
        None => Verdict::Gone(Why::Exited),
    }
}

/// The helper ended after it wrote that it would spawn, before it wrote what it had spawned.
fn judge_intent<'seen>(record: &VmRecord, living: impl Iterator<Item = &'seen Seen>) -> Verdict {
    let kin: Vec<&Seen> = living.filter(|seen| is_kin(record, seen)).collect();
    match kin.as_slice() {
        [] => Verdict::Gone(Why::NeverStarted),
        // only root can take a uid of the range, and the helper gives each to one VM
        [seen] if seen.uid == record.uid && is_named(record, seen) => {
            if seen.comm == "firecracker" {
                Verdict::Mine(Box::new((*seen).clone()))
            } else {
                Verdict::Unsure(format!("process {} is still {}", seen.pid, seen.comm))
            }
        }
        [seen, ..] => Verdict::Unsure(format!(
            "process {} ({}) may be of this VM",
            seen.pid, seen.comm
        )),
    }
}

/// Anything that ties a process to a VM, be it weak: enough to doubt that the VM is gone.
fn is_kin(record: &VmRecord, seen: &Seen) -> bool {
    let in_scope = record
        .scope
        .as_deref()
        .is_some_and(|scope| seen.control_group.split('/').any(|part| part == scope));
    let launched = matches!(seen.comm.as_str(), "jailer" | "firecracker") && is_named(record, seen);
    seen.uid == record.uid || in_scope || launched
}

/// Its command line carries the VM's id. The jailer hands `--id` on to Firecracker.
fn is_named(record: &VmRecord, seen: &Seen) -> bool {
    seen.option("--id")
        .is_some_and(|id| id == record.id.as_str())
}

/// Processes with a VM's uid that no record accounts for.
pub fn strangers<'seen>(records: &[VmRecord], processes: &'seen [Seen]) -> Vec<&'seen Seen> {
    let known: std::collections::BTreeSet<u32> = records.iter().map(|record| record.uid).collect();
    let unknown = |seen: &&Seen| {
        (FIRST_UID..=LAST_UID).contains(&seen.uid) && !known.contains(&seen.uid) && !seen.exited
    };
    processes.iter().filter(unknown).collect()
}
