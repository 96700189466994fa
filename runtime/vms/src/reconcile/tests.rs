//! The table of decisions, and what must hold for any host.

use proptest::prelude::*;

use super::*;
use std::collections::BTreeSet;

use crate::observe::fake::{FakeProcesses, firecracker};
use crate::observe::{Blindness, ProcessInfo, Scan};
use crate::protocol::{Cpus, MemoryMib, VmState};
use crate::storage::{ProcessRecord, VmRecord};
use crate::vm_uids::FIRST_UID;

const ID: &str = "00112233445566aa";
const UID: u32 = FIRST_UID + 3;

fn record() -> VmRecord {
    VmRecord {
        schema: 1,
        id: ID.parse().unwrap(),
        name: "web".parse().unwrap(),
        cpus: Cpus::default(),
        memory_mib: MemoryMib::default(),
        uid: UID,
        state: VmState::Running,
        reason: None,
        boot_id: "this boot".into(),
        started: None,
        process: Some(ProcessRecord {
            pid: 4121,
            start_time: 77,
            pidfd_inode: Some(5121),
            control_group: "/banger.slice/banger-vm-00112233445566aa.scope".into(),
            executable: None,
        }),
        scope: Some("banger-vm-00112233445566aa.scope".into()),
        ended: None,
    }
}

fn intent() -> VmRecord {
    VmRecord {
        process: None,
        state: VmState::Starting,
        ..record()
    }
}

fn guest() -> ProcessInfo {
    firecracker(4121, 77, UID, ID)
}

/// A look for the records' processes among these.
fn look(processes: &FakeProcesses, records: &[VmRecord]) -> Scan {
    let recorded = records
        .iter()
        .filter_map(|record| Some(record.process.as_ref()?.pid))
        .collect();
    let of_a_vm = |uid| crate::vm_uids::may_be_of_a_vm(uid);
    Scan::take(processes, &recorded, &of_a_vm).unwrap()
}

fn decide_among(record: &VmRecord, boot_id: &str, processes: &[ProcessInfo]) -> Decision {
    let processes = FakeProcesses::of(processes.to_vec());
    decide(
        record,
        boot_id,
        &look(&processes, std::slice::from_ref(record)),
    )
}

fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Mine(_) => "mine",
        Decision::Gone(_) => "gone",
        Decision::Unsure(_) => "unsure",
    }
}

fn decision(record: &VmRecord, processes: &[ProcessInfo]) -> &'static str {
    word(&decide_among(record, "this boot", processes))
}

#[test]
fn the_table_of_verdicts() {
    let changed = |change: fn(&mut ProcessInfo)| {
        let mut seen = guest();
        change(&mut seen);
        vec![seen]
    };
    for (case, record, processes, expected) in [
        ("as recorded", record(), vec![guest()], "mine"),
        ("nothing there", record(), vec![], "gone"),
        (
            "exited, not reaped",
            record(),
            changed(|seen| seen.exited = true),
            "gone",
        ),
        (
            "the number now belongs to another process",
            record(),
            changed(|seen| (seen.start_time, seen.uid, seen.command_line) = (78, 0, vec![])),
            "gone",
        ),
        (
            "the number belongs to another VM",
            record(),
            vec![firecracker(4121, 900, UID + 1, "ffffffffffffffff")],
            "gone",
        ),
        (
            "another inode",
            record(),
            changed(|seen| seen.pidfd_inode = Some(1)),
            "unsure",
        ),
        (
            "no inodes on this kernel",
            record(),
            changed(|seen| seen.pidfd_inode = None),
            "mine",
        ),
        (
            "another program",
            record(),
            changed(|seen| seen.comm = "nginx".into()),
            "unsure",
        ),
        (
            "the jailer, before its exec",
            record(),
            changed(|seen| (seen.comm, seen.uid) = ("jailer".into(), 0)),
            "unsure",
        ),
        (
            "another uid",
            record(),
            changed(|seen| seen.uid = UID + 1),
            "unsure",
        ),
        (
            "a child of the VM lives on",
            record(),
            changed(|seen| seen.pid = 5000),
            "unsure",
        ),
        (
            "something lives in its scope",
            record(),
            changed(|seen| {
                (seen.pid, seen.uid, seen.command_line) = (5000, 0, vec![]);
                seen.control_group = "/banger.slice/banger-vm-00112233445566aa.scope/x".into();
            }),
            "unsure",
        ),
        ("never spawned", intent(), vec![], "gone"),
        ("spawned, not yet recorded", intent(), vec![guest()], "mine"),
        (
            "being jailed when the helper died",
            intent(),
            changed(|seen| (seen.comm, seen.uid) = ("jailer".into(), 0)),
            "unsure",
        ),
        (
            "two with its uid",
            intent(),
            vec![guest(), firecracker(4122, 78, UID, ID)],
            "unsure",
        ),
        (
            "its uid, another id",
            intent(),
            vec![firecracker(4121, 77, UID, "ffffffffffffffff")],
            "unsure",
        ),
    ] {
        assert_eq!(decision(&record, &processes), expected, "{case}");
    }
}

#[test]
fn what_has_its_uid_in_somebodys_container_speaks_for_nothing() {
    let elsewhere = ProcessInfo {
        control_group: "/machine.slice/systemd-nspawn@x.service/payload".into(),
        command_line: vec![],
        ..firecracker(5000, 77, UID, ID)
    };
    assert_eq!(decision(&record(), &[elsewhere]), "gone");
}

#[test]
fn after_a_reboot_every_number_is_void() {
    assert_eq!(
        decide_among(&record(), "another boot", &[guest()]),
        Decision::Gone(Why::Rebooted)
    );
}

#[test]
fn a_record_that_says_that_its_vm_ended_is_judged_as_well() {
    for state in [VmState::Stopped, VmState::Failed] {
        let record = VmRecord { state, ..record() };
        assert_eq!(decision(&record, &[guest()]), "mine");
        assert_eq!(decision(&record, &[]), "gone");
        let child = firecracker(5000, 99, UID, ID);
        assert_eq!(decision(&record, &[child]), "unsure");
    }
}

#[test]
fn gone_takes_proof_and_a_list_that_was_cut_is_none() {
    let blind = Some(Blindness::NoInit);
    // hidden from the list, and found by its number
    let hidden = FakeProcesses {
        unlisted: [4121].into(),
        blind: blind.clone(),
        ..FakeProcesses::of(vec![guest()])
    };
    let records = [record(), intent()];
    let of_hidden = |record: &VmRecord| decide(record, "this boot", &look(&hidden, &records));
    assert_eq!(word(&of_hidden(&record())), "mine");
    assert_eq!(word(&of_hidden(&intent())), "mine");
    // hidden, and not to be read: as with hidepid=
    let unreadable = FakeProcesses {
        unreadable: [4121].into(),
        ..hidden
    };
    for record in &records {
        let decision = decide(record, "this boot", &look(&unreadable, &records));
        assert_eq!(word(&decision), "unsure");
    }
    // the kernel says that there is none
    let nobody = FakeProcesses {
        blind,
        ..FakeProcesses::default()
    };
    let of_nobody = |record: &VmRecord| decide(record, "this boot", &look(&nobody, &records));
    assert_eq!(word(&of_nobody(&record())), "gone");
    assert_eq!(word(&of_nobody(&intent())), "unsure");
    // which boot this is cannot be told: another one proves nothing
    let unknown_boot = decide(&record(), "", &look(&unreadable, &records));
    assert_eq!(word(&unknown_boot), "unsure");
}

#[test]
fn a_guest_without_a_record_is_a_stranger_and_no_one_elses_process_is() {
    let ghost = firecracker(6001, 1, UID + 1, "ffffffffffffffff");
    let of_before = ProcessInfo {
        control_group: "/banger.slice/banger-vm-ffffffffffffffff.scope".into(),
        ..firecracker(6002, 1, 600_009, "ffffffffffffffff")
    };
    let elsewhere = |pid, uid, group: &str| ProcessInfo {
        control_group: group.into(),
        ..firecracker(pid, 1, uid, "ffffffffffffffff")
    };
    let nspawn = "/machine.slice/systemd-nspawn@box.service/payload/banger.slice/banger-vm-x.scope";
    let podman = "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-1.scope";
    let scope = "/banger.slice/banger-vm-ffffffffffffffff.scope";
    let processes = FakeProcesses::of(vec![
        guest(),
        ghost.clone(),
        of_before.clone(),
        firecracker(7, 1, 1000, "x"),
        // the same numbers in containers, below and within the range
        elsewhere(8, 600_001, nspawn),
        elsewhere(9, UID + 2, nspawn),
        elsewhere(10, 624_288, podman),
        elsewhere(11, UID + 3, "/"),
        // where VMs live, but not as one
        elsewhere(12, 0, scope),
        elsewhere(13, 524_288, scope),
    ]);
    let scan = look(&processes, &[record()]);
    let known = BTreeSet::from([UID]);
    assert_eq!(unmanaged_processes(&known, &scan), [&ghost, &of_before]);
}

prop_compose! {
    fn any_process()(
        pid in 4120_u32..4123,
        start_time in 76_u64..79,
        uid in prop_oneof![Just(0), Just(UID), Just(UID + 1), Just(1000)],
        comm in prop_oneof![Just("firecracker"), Just("jailer"), Just("sh")],
        id in prop_oneof![Just(ID), Just("ffffffffffffffff")],
        inode in prop_oneof![Just(None), Just(Some(5121)), Just(Some(1))],
        exited: bool,
        scoped: bool,
    ) -> ProcessInfo {
        let control_group = if scoped { "/banger.slice/banger-vm-00112233445566aa.scope" } else { "/" };
        ProcessInfo {
            comm: comm.into(),
            exited,
            pidfd_inode: inode,
            control_group: control_group.into(),
            ..firecracker(pid, start_time, uid, id)
        }
    }
}

proptest! {
    #[test]
    fn mine_and_gone_are_never_guessed(
        mut processes in proptest::collection::vec(any_process(), 0..6),
        with_process: bool,
    ) {
        // one number, one process
        processes.sort_by_key(|seen| seen.pid);
        processes.dedup_by_key(|seen| seen.pid);
        let record = if with_process { record() } else { intent() };
        let living = || processes.iter().filter(|seen| !seen.exited);
        match decide_among(&record, "this boot", &processes) {
            Decision::Mine(seen) => {
                prop_assert!(living().any(|one| *one == *seen));
                prop_assert_eq!(seen.uid, UID);
                prop_assert_eq!(seen.comm.as_str(), "firecracker");
                if let Some(process) = &record.process {
                    prop_assert_eq!((seen.pid, seen.start_time), (process.pid, process.start_time));
                    prop_assert_ne!(seen.pidfd_inode, Some(1));
                }
            }
            // whatever still has the VM's uid where VMs live stands against GONE
            Decision::Gone(_) => {
                prop_assert!(!living().any(|seen| seen.uid == UID && seen.control_group != "/"));
            }
            Decision::Unsure(_) => prop_assert!(living().next().is_some()),
        }
    }

    #[test]
    fn another_boot_voids_everything(processes in proptest::collection::vec(any_process(), 0..6)) {
        prop_assert_eq!(decide_among(&record(), "another", &processes), Decision::Gone(Why::Rebooted));
    }
}
