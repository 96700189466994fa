//! What the registry keeps alike, and what it gives out.

use super::*;
use crate::observe::fake::{FakeProcesses, firecracker};
use crate::protocol::{Cpus, MemoryMib};
use crate::storage::Places;
use crate::vm_uids::FIRST_UID;

fn registry() -> (tempfile::TempDir, Registry) {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry_in(folder.path(), FakeProcesses::default());
    (folder, registry)
}

fn registry_in(folder: &std::path::Path, processes: FakeProcesses) -> Registry {
    let store = Store::open(Places::new(folder, folder)).unwrap();
    Registry::over(store, "this boot".into(), Box::new(processes))
}

fn new(name: &str) -> NewVm {
    NewVm {
        name: name.parse().unwrap(),
        cpus: Cpus::default(),
        memory_mib: MemoryMib::default(),
        rootfs: false,
    }
}

fn id(number: u8) -> VmId {
    VmId::from_random([number; 8])
}

#[test]
fn a_name_is_given_once_and_free_after_the_delete() {
    let (_folder, registry) = registry();
    registry.reserve(&new("web"), id(1)).unwrap();
    let taken = registry.reserve(&new("web"), id(2)).unwrap_err();
    assert_eq!(taken, Fault::NameTaken { name: "web".into() });
    registry.forget(&id(1)).unwrap();
    registry.reserve(&new("web"), id(3)).unwrap();
}

#[test]
fn no_two_vms_no_stranger_and_no_process_share_a_uid() {
    let folder = tempfile::tempdir().unwrap();
    let running = FakeProcesses::of(vec![firecracker(77, 1, FIRST_UID + 2, "x")]);
    let registry = registry_in(folder.path(), running);
    registry.fill(Content {
        foreign_uids: [FIRST_UID + 1].into(),
        ..Content::default()
    });
    let uids: Vec<u32> = (1..4)
        .map(|number| registry.reserve(&new(&format!("vm{number}")), id(number)))
        .map(|record| record.unwrap().uid)
        .collect();
    assert_eq!(uids, [FIRST_UID, FIRST_UID + 3, FIRST_UID + 4]);
}

#[test]
fn a_uid_that_was_given_back_is_not_the_next_even_after_a_restart() {
    let (folder, registry) = registry();
    let uid = |registry: &Registry, number| {
        let record = registry.reserve(&new("web"), id(number)).unwrap();
        registry.forget(&record.id).unwrap();
        record.uid
    };
    assert_eq!(
        (uid(&registry, 1), uid(&registry, 2)),
        (FIRST_UID, FIRST_UID + 1)
    );
    let again = registry_in(folder.path(), FakeProcesses::default());
    assert_eq!(uid(&again, 3), FIRST_UID + 2);
    // where it is lost how far it had come, the records tell
    let kept = again.reserve(&new("kept"), id(4)).unwrap();
    std::fs::write(folder.path().join("uids.json"), "{").unwrap();
    let after_a_loss = registry_in(folder.path(), FakeProcesses::default());
    after_a_loss.fill(Content {
        machines: again.machines(),
        ..Content::default()
    });
    assert_eq!(uid(&after_a_loss, 5), kept.uid + 1);
    assert_eq!(after_a_loss.store.last_uid(), Some(kept.uid + 1));
}

#[test]
fn who_cannot_see_refuses_changes_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let blind = || Some(Blindness::NoInit);
    let processes = FakeProcesses {
        blind: blind(),
        ..FakeProcesses::default()
    };
    let now = registry_in(folder.path(), processes);
    let at_the_start = registry_in(folder.path(), FakeProcesses::default());
    at_the_start.fill(Content {
        blindness: blind(),
        ..Content::default()
    });
    for registry in [now, at_the_start] {
        assert!(registry.refuses().unwrap().contains("/proc"));
        let refused = registry.check_changes().unwrap_err();
        assert!(matches!(refused, Fault::HostLacks { hint, .. } if hint.contains("hidepid=0")));
        assert!(registry.list().is_empty());
    }
    let (_folder, seeing) = self::registry();
    assert_eq!(seeing.refuses(), None);
    seeing.check_changes().unwrap();
}

#[test]
fn a_change_beside_many_ended_vms_writes_little() {
    let (folder, registry) = registry();
    let model = registry.reserve(&new("model"), id(1)).unwrap();
    let ended = |number: u64| Machine {
        record: VmRecord {
            id: VmId::from_random(number.to_be_bytes()),
            name: format!("vm{number}").parse().unwrap(),
            state: VmState::Stopped,
            ..model.clone()
        },
        pinned: None,
    };
    registry.fill(Content {
        machines: (0..10_000).map(ended).collect(),
        ..Content::default()
    });
    let record = registry.reserve(&new("web"), id(2)).unwrap();
    let handles = std::fs::metadata(folder.path().join("handles.json")).unwrap();
    assert!(handles.len() < 2000, "{} bytes", handles.len());
    assert_eq!(registry.list().len(), 10_001);
    assert_eq!(registry.find(&record.name).unwrap().record.id, record.id);
}

#[test]
fn a_later_look_settles_doubts_and_nothing_else() {
    let (_folder, registry) = registry();
    let record = |number: u8| {
        let name = format!("vm{number}");
        registry.reserve(&new(&name), id(number)).unwrap()
    };
    let machine = |record: &VmRecord, state| Machine {
        record: VmRecord {
            state,
            ..record.clone()
        },
        pinned: None,
    };
    let (doubtful, decided, lost) = (record(1), record(2), record(3));
    let shown = |record: &VmRecord| VmSummary {
        state: VmState::Unmanaged,
        ..record.summary()
    };
    registry.fill(Content {
        machines: vec![
            machine(&doubtful, VmState::Unmanaged),
            machine(&decided, VmState::Stopping),
        ],
        others: vec![shown(&lost)],
        ..Content::default()
    });
    assert!(registry.is_in_doubt());
    let found = [&doubtful, &decided, &lost].map(|one| machine(one, VmState::Running));
    let unknown = VmSummary {
        id: None,
        pid: Some(5),
        ..shown(&lost)
    };
    registry.settle_doubts(found.to_vec(), &[unknown]);
    let states: Vec<VmState> = registry.list().iter().map(|vm| vm.state).collect();
    assert_eq!(
        states,
        [VmState::Running, VmState::Stopping, VmState::Running]
    );
    assert!(!registry.is_in_doubt());
}

#[test]
fn of_two_that_change_a_state_one_is_told() {
    let (_folder, registry) = registry();
    registry.reserve(&new("web"), id(1)).unwrap();
    let name = "web".parse().unwrap();
    let begin = || registry.transition(&name, &[VmState::Starting], VmState::Stopping);
    assert!(begin().is_ok());
    let refused = begin().unwrap_err();
    assert!(matches!(refused, Fault::WrongState { state, .. } if state == "stopping"));
}

#[test]
fn an_intent_that_cannot_be_written_is_no_vm() {
    let (folder, registry) = registry();
    std::fs::remove_dir(folder.path().join("vms")).unwrap();
    std::fs::write(folder.path().join("vms"), "in the way").unwrap();
    assert!(registry.reserve(&new("web"), id(1)).is_err());
    assert!(registry.list().is_empty());
}

#[test]
fn a_change_of_state_that_cannot_be_written_is_not_made() {
    let (folder, registry) = registry();
    registry.reserve(&new("web"), id(1)).unwrap();
    std::fs::remove_dir_all(folder.path().join("vms")).unwrap();
    let name = "web".parse().unwrap();
    let begin = || registry.transition(&name, &[VmState::Starting], VmState::Stopping);
    assert!(begin().is_err());
    assert_eq!(
        registry.find(&name).unwrap().record.state,
        VmState::Starting
    );
    std::fs::create_dir(folder.path().join("vms")).unwrap();
    begin().unwrap();
}
