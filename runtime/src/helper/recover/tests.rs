//! A start of the helper over real files and real processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;
use crate::helper::{SystemdScopes, stop};
use crate::observe::{Processes as _, boot_id};
use crate::protocol::{Cpus, Fault, MemoryMib};
use crate::storage::{ProcessRecord, Store, VmRecord};

/// Lives until its standard input ends; its main thread exits at once.
const WITHOUT_MAIN_THREAD: &str = "
    #include <pthread.h>
    #include <unistd.h>
    static void *rest(void *none) { char c; while (read(0, &c, 1) > 0); _exit(0); }
    int main(void) { pthread_t t; pthread_create(&t, 0, rest, 0); pthread_exit(0); }";
/// The same, with its main thread.
const PLAIN: &str = "
    #include <unistd.h>
    int main(void) { char c; while (read(0, &c, 1) > 0); return 0; }";

/// A program under Firecracker's name.
fn firecracker(folder: &Path, source: &str) -> PathBuf {
    let (text, program) = (folder.join("vmm.c"), folder.join("firecracker"));
    std::fs::write(&text, source).unwrap();
    let cc = Command::new("cc")
        .args(["-pthread", "-o"])
        .args([&program, &text])
        .status();
    assert!(cc.unwrap().success());
    program
}

fn spawn(program: &Path) -> (Child, ProcessInfo) {
    let child = Command::new(program).stdin(Stdio::piped()).spawn().unwrap();
    // until the exec it is this program
    let seen = loop {
        let seen = HostProcesses.see(child.id()).unwrap().unwrap();
        if seen.comm == "firecracker" {
            break seen;
        }
    };
    (child, seen)
}

fn record(state: VmState, seen: &ProcessInfo) -> VmRecord {
    VmRecord {
        schema: 1,
        id: "00112233445566aa".parse().unwrap(),
        name: "web".parse().unwrap(),
        cpus: Cpus::default(),
        memory_mib: MemoryMib::default(),
        uid: seen.uid,
        state,
        reason: None,
        boot_id: boot_id().unwrap(),
        started: None,
        process: Some(ProcessRecord {
            pid: seen.pid,
            start_time: seen.start_time,
            pidfd_inode: seen.pidfd_inode,
            control_group: seen.control_group.clone(),
            executable: Some((1, 2)),
        }),
        scope: None,
        ended: Some(EndCause::Asked),
    }
}

fn begin(places: &Places) -> Arc<Helper> {
    let scopes = Box::new(SystemdScopes);
    Helper::begin("0.1.0".into(), 1000, places.clone(), scopes).unwrap()
}

#[tokio::test]
async fn a_record_that_says_ended_while_its_process_lives_is_not_believed() {
    for source in [PLAIN, WITHOUT_MAIN_THREAD] {
        for state in [VmState::Stopped, VmState::Failed] {
            let folder = tempfile::tempdir().unwrap();
            let places = Places::new(folder.path(), folder.path());
            let (mut child, seen) = spawn(&firecracker(folder.path(), source));
            let record = record(state, &seen);
            Store::open(places.clone()).unwrap().save(&record).unwrap();
            let helper = begin(&places);
            let found = helper.registry.find(&record.name).unwrap().record;
            assert_eq!((found.state, found.ended), (VmState::Running, None));
            let refused = stop::delete(Arc::clone(&helper), record.name).await;
            assert!(
                matches!(refused, Err(Fault::WrongState { .. })),
                "{refused:?}"
            );
            drop(child.stdin.take());
            child.wait().unwrap();
        }
    }
}

#[tokio::test]
async fn a_record_that_says_ended_is_believed_when_its_process_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let places = Places::new(folder.path(), folder.path());
    let (mut child, seen) = spawn(&firecracker(folder.path(), PLAIN));
    drop(child.stdin.take());
    child.wait().unwrap();
    let record = record(VmState::Stopped, &seen);
    let store = Store::open(places.clone()).unwrap();
    store.save(&record).unwrap();
    let before = std::fs::metadata(places.record(&record.id)).unwrap();
    let helper = begin(&places);
    assert_eq!(helper.registry.find(&record.name).unwrap().record, record);
    // and not even written again
    let after = std::fs::metadata(places.record(&record.id)).unwrap();
    assert_eq!(
        std::os::unix::fs::MetadataExt::ino(&before),
        std::os::unix::fs::MetadataExt::ino(&after)
    );
}

#[tokio::test]
async fn a_stop_that_was_asked_for_stays_one_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let places = Places::new(folder.path(), folder.path());
    let (mut child, seen) = spawn(&firecracker(folder.path(), PLAIN));
    let record = VmRecord {
        ended: None,
        ..record(VmState::Stopping, &seen)
    };
    Store::open(places.clone()).unwrap().save(&record).unwrap();
    let helper = begin(&places);
    let found = helper.registry.find(&record.name).unwrap();
    assert_eq!(found.record.state, VmState::Stopping);
    assert!(found.pinned.is_some());
    drop(child.stdin.take());
    child.wait().unwrap();
}
