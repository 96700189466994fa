//! Starting a VM: check, write the intent down, jail, spawn at the gate, pin, record, place, let go,
//! and see it run.
//!
//! Guarantees: a VM runs only in a scope of its own, and only when its process is on disk; a start
//! that fails, at whatever point and for whatever reason, leaves its record and its log, and no
//! process, scope, jail, disk or link.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::console::LastWords;
use super::control_group::end_scope;
use super::fresh::Fresh;
use super::registry::source_of;
use super::scopes::{Placement, ScopeLimits};
use super::{Helper, blocking, console, watch};
use crate::jail::{self, Ingredients, NoSpace, Programs, Promise};
use crate::observe::Pinned;
use crate::protocol::{EndCause, Fault, NewVm, VmId, VmState, VmSummary};
use crate::storage::{Places, ProcessRecord, VmRecord};

/// How long a VM may take to run. The jailer and Firecracker take some 50 ms.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(5);

/// What a VM is made from.
struct Files {
    kernel: File,
    rootfs: Option<File>,
}

/// A start that was found possible and whose intent is on disk.
struct Prepared {
    record: VmRecord,
    ingredients: Ingredients,
    programs: Programs,
    /// Space for what is copied, until it is.
    promise: Promise,
}

/// Starts a VM and returns once its guest runs.
pub(super) async fn start(
    helper: Arc<Helper>,
    new: NewVm,
    descriptors: Vec<OwnedFd>,
) -> Result<VmSummary, Fault> {
    let worker = Arc::clone(&helper);
    let prepared = blocking(move || prepare(&worker, &new, descriptors)).await?;
    let (id, name) = (prepared.record.id.clone(), prepared.record.name.clone());
    match bring_up(&helper, prepared).await {
        Ok(summary) => Ok(summary),
        Err(fault) => {
            let reason = fault.to_string();
            let shown = reason.clone();
            blocking(move || {
                give_up(&helper, &id, &reason);
                Ok(())
            })
            .await?;
            Err(Fault::StartFailed {
                name: name.to_string(),
                reason: shown,
            })
        }
    }
}

fn prepare(helper: &Helper, new: &NewVm, descriptors: Vec<OwnedFd>) -> Result<Prepared, Fault> {
    let files = check_files(new, descriptors, helper.owner_uid)?;
    let programs = jail::check_host().map_err(|lack| Fault::HostLacks {
        what: lack.to_string(),
        hint: lack.hint(),
    })?;
    let (ingredients, promise) = measure(helper, files)?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| Fault::failed("no random bytes", error))?;
    let record = helper.registry.reserve(new, VmId::from_random(random))?;
    Ok(Prepared {
        record,
        ingredients,
        programs,
        promise,
    })
}

/// Sizes of the files that came along, and space for them.
fn measure(helper: &Helper, files: Files) -> Result<(Ingredients, Promise), Fault> {
    let unreadable = |error| Fault::failed("cannot read what came along", error);
    let mut data = 0;
    let mut with_length = |file: File| -> std::io::Result<(File, u64)> {
        let length = file.metadata()?.len();
        data += jail::room_of(&file, length)?;
        Ok((file, length))
    };
    let kernel = with_length(files.kernel).map_err(unreadable)?;
    let rootfs = files
        .rootfs
        .map(&mut with_length)
        .transpose()
        .map_err(unreadable)?;
    let disk = rootfs.as_ref().map_or(0, |(_, length)| *length);
    let taken = if disk == 0 { 0 } else { size_of_disks(helper) };
    let promise = helper
        .space
        .promise(&helper.places.jails(), data, disk, taken)
        .map_err(|lack: NoSpace| Fault::HostLacks {
            what: format!("there is no space for the VM: {lack}"),
            hint: lack.hint(),
        })?;
    let ingredients = Ingredients {
        kernel,
        rootfs,
        data,
    };
    Ok((ingredients, promise))
}

fn size_of_disks(helper: &Helper) -> u64 {
    let machines = helper.registry.machines();
    let sizes = machines
        .iter()
        .map(|machine| jail::size_of_disk(&helper.places, &machine.record.id));
    sizes.fold(0, u64::saturating_add)
}

/// Writes down that a start failed, and removes what it made. Its process is gone by now.
fn give_up(helper: &Helper, id: &VmId, reason: &str) {
    let mut failed = None;
    helper.registry.update(id, |machine| {
        machine.pinned = None;
        let record = &mut machine.record;
        record.state = VmState::Failed;
        record.reason = Some(reason.to_owned());
        // no guest ran, so nobody lost one: the helper gave it up
        record.ended.get_or_insert(EndCause::Asked);
        failed = Some(record.clone());
    });
    if let Some(record) = failed {
        leave_nothing(&helper.places, &record);
    }
}

/// Removes jail, disk, link and what is left in the scope of a VM that did not come to run and whose
/// process is gone for certain.
pub(super) fn leave_nothing(places: &Places, record: &VmRecord) {
    let id = &record.id;
    let group = record
        .process
        .as_ref()
        .map(|process| &process.control_group);
    if let Some(Err(error)) = group.map(|group| end_scope(id, group)) {
        tracing::error!("{error}: {}", source_of(&error));
    }
    if let Err(error) = jail::remove(places, id) {
        tracing::error!("the jail of VM {id} cannot be removed: {error}");
    }
}

fn check_files(new: &NewVm, descriptors: Vec<OwnedFd>, owner_uid: u32) -> Result<Files, Fault> {
    let expected = if new.rootfs { 2 } else { 1 };
    if descriptors.len() != expected {
        return Err(Fault::BadRequest {
            reason: format!(
                "{} descriptors came, {expected} expected",
                descriptors.len()
            ),
        });
    }
    let bad = |error: jail::BadFile| Fault::BadFile {
        reason: error.to_string(),
    };
    let mut files = descriptors.into_iter().map(File::from);
    let Some(kernel) = files.next() else {
        return Err(Fault::BadRequest {
            reason: "no kernel came along".into(),
        });
    };
    jail::check_kernel(&kernel, owner_uid).map_err(bad)?;
    let rootfs = files.next();
    if let Some(rootfs) = &rootfs {
        jail::check_rootfs(rootfs, owner_uid).map_err(bad)?;
    }
    Ok(Files { kernel, rootfs })
}

async fn bring_up(helper: &Arc<Helper>, prepared: Prepared) -> Result<VmSummary, Fault> {
    let (id, name) = (prepared.record.id.clone(), prepared.record.name.clone());
    let limits = ScopeLimits::of(prepared.record.cpus, prepared.record.memory_mib);
    let worker = Arc::clone(helper);
    let fresh = blocking(move || spawn(&worker, prepared)).await?;
    let pinned = Arc::clone(fresh.pinned());
    let placement = Placement {
        id: id.clone(),
        name: name.to_string(),
        process: Arc::clone(&pinned),
        limits,
    };
    let placed = helper.scopes.place(&placement).await;
    let (worker, vm) = (Arc::clone(helper), id.clone());
    let child = blocking(move || {
        // given up here, a fresh process is ended on this thread, which may wait for it
        let scope = placed.map_err(|error| {
            Fault::failed(
                format!("it got no scope of its own: {error}"),
                source_of(&error),
            )
        })?;
        let_run(&worker, &vm, scope, fresh)
    })
    .await?;
    let pid = pinned.seen.pid;
    watch::begin(helper, &id, pinned, child);
    tracing::info!("VM {name} ({id}) runs as process {pid}");
    helper
        .registry
        .find(&name)
        .map(|machine| machine.record.summary())
}

/// Lays out the jail, and spawns the process that waits to become the jailer. On disk before it
/// returns.
fn spawn(helper: &Helper, prepared: Prepared) -> Result<Fresh, Fault> {
    let Prepared {
        record,
        ingredients,
        programs,
        promise,
    } = prepared;
    let (places, id) = (&helper.places, &record.id);
    let disk = ingredients.rootfs.as_ref().map(|(_, length)| *length);
    let configuration = jail::configuration(&record, disk.is_some());
    jail::build(places, id, record.uid, &configuration, &ingredients)
        .map_err(|error| Fault::failed("cannot lay out its jail", error))?;
    drop(promise);
    let log =
        console::create(places, id).map_err(|error| Fault::failed("cannot make its log", error))?;
    let words = jail::jailer_command(places, &record, &programs, disk.unwrap_or(0));
    let fresh = Fresh::spawn(programs.jailer.as_os_str(), words, &log)?;
    let process = process_record(fresh.pinned());
    let pinned = Arc::clone(fresh.pinned());
    helper.registry.commit(id, |machine| {
        machine.record.process = Some(process);
        machine.record.started = Some(Timestamp::now());
        machine.pinned = Some(pinned);
        Ok(())
    })?;
    Ok(fresh)
}

pub(super) fn process_record(pinned: &Pinned) -> ProcessRecord {
    ProcessRecord {
        pid: pinned.seen.pid,
        start_time: pinned.seen.start_time,
        pidfd_inode: pinned.seen.pidfd_inode,
        control_group: pinned.seen.control_group.clone(),
        executable: None,
    }
}

/// Lets a process that is in its scope become its VM's, and waits until its guest runs. What is
/// returned is not ended any more when it is dropped.
fn let_run(
    helper: &Helper,
    id: &VmId,
    scope: String,
    mut fresh: Fresh,
) -> Result<Option<Child>, Fault> {
    let placed = look(fresh.pinned())?.ok_or_else(|| ended(helper, id, &mut fresh))?;
    helper.registry.commit(id, |machine| {
        machine.record.scope = Some(scope);
        if let Some(process) = &mut machine.record.process {
            process.control_group = placed.control_group;
        }
        Ok(())
    })?;
    fresh.open_gate()?;
    wait_until_running(helper, id, &mut fresh)?;
    // Firecracker makes no file from here on
    jail::give_to_root(&helper.places, id)
        .map_err(|error| Fault::failed("cannot take its jail back", error))?;
    let executable = executable_of(&helper.places, id);
    helper.registry.update(id, |machine| {
        machine.record.state = VmState::Running;
        if let Some(process) = &mut machine.record.process {
            process.executable = executable;
        }
    });
    Ok(fresh.settle())
}

/// Device and inode of the program in a VM's jail: written down once its guest runs.
fn executable_of(places: &Places, id: &VmId) -> Option<(u64, u64)> {
    let found = fs_err::metadata(places.jail_root(id).join("firecracker")).ok()?;
    Some((found.dev(), found.ino()))
}

/// Completes the record of a VM that ran, say one that was lost and written anew: such a VM is never
/// taken for a start that was interrupted.
pub(super) fn note_that_it_ran(places: &Places, record: &mut VmRecord) {
    if let Some(process) = &mut record.process
        && process.executable.is_none()
    {
        process.executable = executable_of(places, &record.id);
    }
}

/// The helper that started this VM never saw its guest run.
pub(super) fn never_ran(record: &VmRecord) -> bool {
    let process = record.process.as_ref();
    process.is_none_or(|process| process.executable.is_none())
}

/// What a VM whose process is gone was before: still starting, when its guest never ran, even if it
/// was in doubt meanwhile.
pub(super) fn state_before_end(record: &VmRecord) -> VmState {
    if record.state == VmState::Unmanaged && never_ran(record) {
        VmState::Starting
    } else {
        record.state
    }
}

/// Does for a VM that was adopted what its own start had not come to: an older version, or one that
/// ended in the middle, started it.
pub(super) fn finish_adopted(helper: &Helper, id: &VmId, pinned: &Pinned) {
    let places = &helper.places;
    let known = helper.registry.get(id);
    if known.is_some_and(|machine| never_ran(&machine.record)) {
        helper.registry.update(id, |machine| {
            note_that_it_ran(places, &mut machine.record);
        });
    }
    let is_roots = |found: std::fs::Metadata| found.uid() == 0;
    if std::fs::symlink_metadata(places.jail_root(id)).is_ok_and(is_roots) {
        return;
    }
    // one that does not run yet still makes its socket
    let answer = jail::ask_instance(&places.jail_socket(id), pinned.seen.pid);
    if answer.is_ok_and(|instance| instance.id == id.as_str() && instance.state == "Running")
        && let Err(error) = jail::give_to_root(places, id)
    {
        tracing::warn!("the jail of VM {id} cannot be given to root: {error}");
    }
}

fn look(pinned: &Pinned) -> Result<Option<crate::observe::ProcessInfo>, Fault> {
    pinned
        .look_again()
        .map_err(|error| Fault::failed("cannot read its process", error))
}

fn wait_until_running(helper: &Helper, id: &VmId, fresh: &mut Fresh) -> Result<(), Fault> {
    let socket = helper.places.jail_socket(id);
    let begun = Instant::now();
    loop {
        let Some(now) = look(fresh.pinned())? else {
            return Err(ended(helper, id, fresh));
        };
        // a socket that is not there yet is no error
        let answer = jail::ask_instance(&socket, now.pid);
        if answer.is_ok_and(|instance| instance.id == id.as_str() && instance.state == "Running") {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(Fault::Failed {
                reason: format!("its guest did not run within {} s", PATIENCE.as_secs()),
            });
        }
        std::thread::sleep(INTERVAL);
    }
}

/// Why a process ended before its guest ran: what it said, else how it ended.
fn ended(helper: &Helper, id: &VmId, fresh: &mut Fresh) -> Fault {
    let LastWords {
        console,
        firecracker,
    } = console::last_words(&helper.places, id);
    let line = console.or(firecracker);
    let reason = match (fresh.ended(), line) {
        // one that was killed did not come to say why
        (Some(status), Some(line)) if status.code().is_none() => {
            format!("Firecracker ended with {status}; its last line: {line}")
        }
        (_, Some(line)) => line,
        (Some(status), None) => format!("Firecracker ended with {status}"),
        (None, None) => "Firecracker ended at once".into(),
    };
    Fault::Failed { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_was_cut_off_is_known_by_its_record_even_after_doubts() {
        let record: VmRecord = serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "00112233445566aa", "name": "web", "cpus": 1, "memory_mib": 128,
            "uid": 600_000, "state": "unmanaged", "reason": null, "boot_id": "b",
            "started": null, "scope": null,
            "process": {
                "pid": 1, "start_time": 1, "pidfd_inode": null, "control_group": "/",
                "executable": null,
            },
        }))
        .unwrap();
        assert!(never_ran(&record));
        assert_eq!(state_before_end(&record), VmState::Starting);
        let mut ran = record.clone();
        ran.process.as_mut().unwrap().executable = Some((1, 2));
        assert!(!never_ran(&ran));
        assert_eq!(state_before_end(&ran), VmState::Unmanaged);
        let starting = VmRecord {
            state: VmState::Starting,
            process: None,
            ..record
        };
        assert!(never_ran(&starting));
    }
}
