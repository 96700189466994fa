//! The table of verdicts, and what must hold for any host.

use proptest::prelude::*;

use super::*;
use crate::observe::Seen;
use crate::observe::fake::firecracker;
use crate::protocol::{Cpus, MemoryMib, VmState};
use crate::storage::{ProcessRecord, VmRecord};

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

fn guest() -> Seen {
    firecracker(4121, 77, UID, ID)
}

fn verdict(record: &VmRecord, processes: &[Seen]) -> &'static str {
    match judge(record, "this boot", processes) {
        Verdict::Mine(_) => "mine",
        Verdict::Gone(_) => "gone",
        Verdict::Unsure(_) => "unsure",
    }
}

#[test]
fn the_table_of_verdicts() {
    let changed = |change: fn(&mut Seen)| {
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
            "the number now belongs to a stranger",
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
        assert_eq!(verdict(&record, &processes), expected, "{case}");
    }
}

#[test]
fn after_a_reboot_every_number_is_void() {
    assert_eq!(
        judge(&record(), "another boot", &[guest()]),
        Verdict::Gone(Why::Rebooted)
    );
}

#[test]
fn a_process_with_a_vms_uid_and_no_record_is_a_stranger() {
    let ghost = firecracker(6001, 1, UID + 1, "ffffffffffffffff");
    let processes = [guest(), ghost.clone(), firecracker(7, 1, 1000, "x")];
    assert_eq!(strangers(&[record()], &processes), [&ghost]);
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
    ) -> Seen {
        let control_group = if scoped { "/banger.slice/banger-vm-00112233445566aa.scope" } else { "/" };
        Seen {
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
        processes in proptest::collection::vec(any_process(), 0..6),
        with_process: bool,
    ) {
        let record = if with_process { record() } else { intent() };
        let living = || processes.iter().filter(|seen| !seen.exited);
        match judge(&record, "this boot", &processes) {
            Verdict::Mine(seen) => {
                prop_assert!(living().any(|one| *one == *seen));
                prop_assert_eq!(seen.uid, UID);
                prop_assert_eq!(seen.comm.as_str(), "firecracker");
                if let Some(process) = &record.process {
                    prop_assert_eq!((seen.pid, seen.start_time), (process.pid, process.start_time));
                    prop_assert_ne!(seen.pidfd_inode, Some(1));
                }
            }
            // whatever still has the VM's uid stands against GONE
            Verdict::Gone(_) => prop_assert!(!living().any(|seen| seen.uid == UID)),
            Verdict::Unsure(_) => prop_assert!(living().next().is_some()),
        }
    }

    #[test]
    fn another_boot_voids_everything(processes in proptest::collection::vec(any_process(), 0..6)) {
        prop_assert_eq!(judge(&record(), "another", &processes), Verdict::Gone(Why::Rebooted));
    }
}
