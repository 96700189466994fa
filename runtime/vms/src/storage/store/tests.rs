//! Records on real files.

use super::*;
use crate::protocol::VmState;

/// Version 1 of the record as it was first written. It must parse for ever.
const SCHEMA_1: &str = r#"{"schema":1,"id":"00112233445566aa","name":"web","cpus":2,
    "memory_mib":512,"uid":600000,"state":"running","reason":null,
    "boot_id":"5d2b9c0e-7c1f-4f1e-9a55-0f8f3c2b1a00","started":"2026-11-20T10:00:00Z",
    "process":{"pid":4121,"start_time":99,"pidfd_inode":7,
    "control_group":"/banger.slice/banger-vm-00112233445566aa.scope",
    "executable":[1,2]},"scope":"banger-vm-00112233445566aa.scope"}"#;

/// The same with a checksum, as it is written since.
const SCHEMA_1_SEALED: &str = r#"{"boot_id":"5d2b9c0e-7c1f-4f1e-9a55-0f8f3c2b1a00",
    "checksum":"sha256:5964cc855f7b8022c4effbebb3a318019325819539cf2eefdcf30c8b6192c7e5",
    "cpus":2,"ended":null,"id":"00112233445566aa","memory_mib":512,"name":"web",
    "process":{"control_group":"/banger.slice/banger-vm-00112233445566aa.scope",
    "executable":[1,2],"pid":4121,"pidfd_inode":7,"start_time":99},"reason":null,"schema":1,
    "scope":"banger-vm-00112233445566aa.scope","started":"2026-11-20T10:00:00Z",
    "state":"running","uid":600000}"#;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let places = Places::new(folder.path(), folder.path());
    (folder, Store::open(places).unwrap())
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let (_folder, store) = store();
    let record: VmRecord = serde_json::from_str(SCHEMA_1).unwrap();
    store.save(&record).unwrap();
    match store.load().unwrap().as_slice() {
        [Loaded::Good(found)] => assert_eq!(**found, record),
        other => panic!("{other:?}"),
    }
    store.remove(&record.id).unwrap();
    store.remove(&record.id).unwrap();
    assert!(store.load().unwrap().is_empty());
}

#[test]
fn one_broken_record_hides_no_other() {
    let (_folder, store) = store();
    let record: VmRecord = serde_json::from_str(SCHEMA_1).unwrap();
    store.save(&record).unwrap();
    for (id, text) in [
        ("00000000000000aa", "{"),
        ("00000000000000bb", SCHEMA_1),
        ("00000000000000cc", r#"{"schema":9}"#),
    ] {
        let id: VmId = id.parse().unwrap();
        std::fs::create_dir(store.places.vm(&id)).unwrap();
        std::fs::write(store.places.record(&id), text).unwrap();
    }
    let loaded = store.load().unwrap();
    let good = loaded.iter().filter(|one| matches!(one, Loaded::Good(_)));
    assert_eq!((loaded.len(), good.count()), (4, 1));
}

#[test]
fn a_record_with_a_checksum_is_read_and_says_the_same() {
    let record: VmRecord = unseal(SCHEMA_1_SEALED.as_bytes()).unwrap();
    assert_eq!(
        record,
        serde_json::from_str::<VmRecord>(SCHEMA_1).unwrap(),
        "{}",
        String::from_utf8(seal(&record).unwrap()).unwrap()
    );
    // and so does version 0.1.0, which knows of no checksum
    let of_before: VmRecord = serde_json::from_str(SCHEMA_1_SEALED).unwrap();
    assert_eq!(of_before, record);
}

#[test]
fn a_record_says_the_same_or_nothing_whichever_of_its_bits_flips() {
    let (_folder, store) = store();
    let record: VmRecord = serde_json::from_str(SCHEMA_1).unwrap();
    store.save(&record).unwrap();
    let path = store.places.record(&record.id);
    let sound = std::fs::read(&path).unwrap();
    let mut noticed = 0;
    for bit in 0..sound.len() * 8 {
        let mut changed = sound.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        match unseal::<VmRecord>(&changed) {
            Ok(found) => assert_eq!(found, record, "bit {bit}"),
            Err(_) => noticed += 1,
        }
    }
    assert!(noticed > sound.len() * 4, "{noticed} of {}", sound.len());
    for length in (0..sound.len() - 2).step_by(9) {
        std::fs::write(&path, &sound[..length]).unwrap();
        let loaded = store.load_one(record.id.clone()).unwrap();
        assert!(matches!(loaded, Loaded::Broken { last: Some(_), .. }));
    }
}

#[test]
fn a_lost_record_is_read_from_its_copy_and_a_later_versions_is_not() {
    let (_folder, store) = store();
    let record: VmRecord = serde_json::from_str(SCHEMA_1).unwrap();
    store.save(&record).unwrap();
    assert!(store.has_copy(&record));
    let path = store.places.record(&record.id);
    std::fs::write(&path, r#"{"schema":2}"#).unwrap();
    let loaded = store.load_one(record.id.clone()).unwrap();
    assert!(
        matches!(loaded, Loaded::Broken { last: None, .. }),
        "{loaded:?}"
    );
    std::fs::remove_file(&path).unwrap();
    let loaded = store.load_one(record.id.clone()).unwrap();
    assert!(
        matches!(loaded, Loaded::Broken { last: Some(_), .. }),
        "{loaded:?}"
    );
    // with its copy gone too, and nothing of it anywhere, it is none
    std::fs::remove_file(store.places.last_record(&record.id)).unwrap();
    assert!(!store.has_copy(&record));
    assert!(store.load().unwrap().is_empty());
    std::fs::create_dir(store.places.jail(&record.id)).unwrap();
    let loaded = store.load().unwrap();
    assert!(matches!(
        loaded.as_slice(),
        [Loaded::Broken { last: None, .. }]
    ));
    // even without its folder
    std::fs::remove_dir_all(store.places.vm(&record.id)).unwrap();
    assert_eq!(store.load().unwrap().len(), 1);
}

#[test]
fn the_last_uid_is_kept_and_a_damaged_one_is_none() {
    let (folder, store) = store();
    assert_eq!(store.last_uid(), None);
    store.save_last_uid(2_100_000_007).unwrap();
    assert_eq!(store.last_uid(), Some(2_100_000_007));
    let path = folder.path().join("uids.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for damaged in [
        text.replace("07", "09"),
        "{".into(),
        r#"{"schema":2}"#.into(),
    ] {
        std::fs::write(&path, damaged).unwrap();
        assert_eq!(store.last_uid(), None);
    }
    // as it is written
    let fixture = r#"{"checksum":"sha256:fdf55f1e37b1401f4f4c32411f809039afbc7373241733b10150869276838211","last":2100000007,"schema":1}"#;
    std::fs::write(&path, fixture).unwrap();
    assert_eq!(store.last_uid(), Some(2_100_000_007), "{text}");
}

#[test]
fn ended_vms_are_not_named_in_handles_however_many_there_are() {
    let (folder, store) = store();
    let running: VmRecord = serde_json::from_str(SCHEMA_1).unwrap();
    let mut vms = vec![running.summary()];
    for number in 0..10_000 {
        let record = VmRecord {
            state: VmState::Stopped,
            name: format!("vm{number}").parse().unwrap(),
            ..running.clone()
        };
        vms.push(record.summary());
    }
    store.publish("boot", &vms).unwrap();
    let size = std::fs::metadata(folder.path().join("handles.json"))
        .unwrap()
        .len();
    assert!(size < 2000, "{size} bytes");
    assert_eq!(store.handles("boot").len(), 1);
    assert!(store.handles("another boot").is_empty());
}

#[test]
fn handles_name_the_socket_of_what_runs_and_of_nothing_else() {
    let (folder, store) = store();
    let running: VmRecord = serde_json::from_str(SCHEMA_1).unwrap();
    let doubtful = VmRecord {
        process: None,
        state: VmState::Unmanaged,
        ..running.clone()
    };
    store
        .publish("boot", &[running.summary(), doubtful.summary()])
        .unwrap();
    let bytes = std::fs::read(folder.path().join("handles.json")).unwrap();
    let handles: Handles = serde_json::from_slice(&bytes).unwrap();
    let sockets: Vec<bool> = handles
        .vms
        .iter()
        .map(|vm| vm.api_socket.is_some())
        .collect();
    assert_eq!(sockets, [true, false]);
    assert_eq!(handles.vms.first().unwrap().vm.pid, Some(4121));
}
