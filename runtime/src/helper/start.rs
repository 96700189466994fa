//! Starting a VM: check, write the intent down, jail, spawn, pin, record, place, and see it run.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::process::Signal;

use super::console::LastWords;
use super::{Helper, blocking, console, watch};
use crate::jail::{self, Programs};
use crate::observe::Pinned;
use crate::protocol::{Fault, NewVm, VmId, VmState, VmSummary};
use crate::storage::{ProcessRecord, VmRecord};

/// How long a VM may take to run. The jailer and Firecracker take some 50 ms.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(5);

/// What a VM is made from.
struct Files {
    kernel: File,
    rootfs: Option<File>,
}

/// A VM whose process was spawned.
struct Spawned {
    child: Child,
    pinned: Arc<Pinned>,
}

/// Starts a VM and returns once its guest runs.
pub(super) async fn start(
    helper: Arc<Helper>,
    new: NewVm,
    descriptors: Vec<OwnedFd>,
) -> Result<VmSummary, Fault> {
    let files = judge_files(&new, descriptors, helper.owner_uid)?;
    let programs = jail::check_host().map_err(|lack| Fault::HostLacks {
        what: lack.to_string(),
        hint: lack.hint(),
    })?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| Fault::failed("no random bytes", error))?;
    let record = helper.registry.reserve(&new, VmId::from_random(random))?;
    let id = record.id.clone();
    match bring_up(&helper, record, files, programs).await {
        Ok(summary) => Ok(summary),
        Err(fault) => {
            let reason = fault.to_string();
            helper.registry.update(&id, |machine| {
                if machine.record.state == VmState::Starting {
                    machine.record.state = VmState::Failed;
                    machine.record.reason = Some(reason.clone());
                }
            });
            Err(Fault::StartFailed {
                name: new.name.to_string(),
                reason,
            })
        }
    }
}

fn judge_files(new: &NewVm, descriptors: Vec<OwnedFd>, owner_uid: u32) -> Result<Files, Fault> {
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

async fn bring_up(
    helper: &Arc<Helper>,
    record: VmRecord,
    files: Files,
    programs: Programs,
) -> Result<VmSummary, Fault> {
    let (id, name) = (record.id.clone(), record.name.clone());
    let worker = Arc::clone(helper);
    let spawned = blocking(move || spawn(&worker, &record, files, &programs)).await?;
    let pinned = Arc::clone(&spawned.pinned);
    watch::begin(helper, &id, Arc::clone(&pinned), Some(spawned.child));
    let pid = pinned.seen.pid;
    match helper.scopes.place(&id, name.as_str(), pid).await {
        Ok(scope) => {
            helper
                .registry
                .update(&id, |machine| machine.record.scope = Some(scope));
        }
        Err(error) => tracing::warn!(
            "VM {name} stays in the helper's control group: {error}: {}",
            super::registry::source_of(&error)
        ),
    }
    let worker = Arc::clone(helper);
    let waited = id.clone();
    blocking(move || wait_until_running(&worker, &waited, &pinned)).await?;
    tracing::info!("VM {name} ({id}) runs as process {pid}");
    helper
        .registry
        .find(&name)
        .map(|machine| machine.record.summary())
}

fn spawn(
    helper: &Helper,
    record: &VmRecord,
    files: Files,
    programs: &Programs,
) -> Result<Spawned, Fault> {
    let (places, id) = (&helper.places, &record.id);
    let configuration = jail::configuration(record, files.rootfs.is_some());
    jail::build(
        places,
        id,
        record.uid,
        &configuration,
        files.kernel,
        files.rootfs,
    )
    .map_err(|error| Fault::failed("cannot lay out its jail", error))?;
    let log = console::create(places, id).and_then(|log| Ok((log.try_clone()?, log)));
    let (output, errors) = log.map_err(|error| Fault::failed("cannot make its log", error))?;
    let child = Command::new(&programs.jailer)
        .args(jail::jailer_command(places, record, programs))
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(|error| Fault::failed("cannot start the jailer", error))?;
    // the child is ours and not reaped yet, so its number can be no other's
    let pinned = Pinned::pin(child.id())
        .ok()
        .flatten()
        .map(Arc::new)
        .ok_or_else(|| Fault::Failed {
            reason: "the jailer's process cannot be read".into(),
        })?;
    let process = process_record(&pinned);
    helper.registry.update(id, |machine| {
        machine.record.process = Some(process);
        machine.record.started = Some(Timestamp::now());
        machine.pinned = Some(Arc::clone(&pinned));
    });
    Ok(Spawned { child, pinned })
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

fn wait_until_running(helper: &Helper, id: &VmId, pinned: &Pinned) -> Result<(), Fault> {
    let socket = helper.places.jail_socket(id);
    let begun = Instant::now();
    loop {
        let now = pinned
            .look_again()
            .map_err(|error| Fault::failed("cannot read its process", error))?;
        let Some(now) = now else {
            let LastWords {
                console,
                firecracker,
            } = console::last_words(&helper.places, id);
            return Err(Fault::Failed {
                reason: console
                    .or(firecracker)
                    .unwrap_or_else(|| "Firecracker ended at once".into()),
            });
        };
        // a socket that is not there yet is no error
        let answer = jail::ask_instance(&socket, now.pid);
        if answer.is_ok_and(|instance| instance.id == id.as_str() && instance.state == "Running") {
            let executable = fs_err::metadata(helper.places.jail_root(id).join("firecracker"))
                .ok()
                .map(|found| (found.dev(), found.ino()));
            helper.registry.update(id, |machine| {
                machine.record.state = VmState::Running;
                if let Some(process) = &mut machine.record.process {
                    process.control_group.clone_from(&now.control_group);
                    process.executable = executable;
                }
            });
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            pinned
                .signal(Signal::KILL)
                .map_err(|error| Fault::failed("cannot end its process", error))?;
            return Err(Fault::Failed {
                reason: format!("its guest did not run within {} s", PATIENCE.as_secs()),
            });
        }
        std::thread::sleep(INTERVAL);
    }
}
