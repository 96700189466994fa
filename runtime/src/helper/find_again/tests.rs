//! Every state file lost or damaged in turn, over real files; the processes are made up.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::*;
use crate::observe::fake::{FakeProcesses, firecracker};
use crate::protocol::{Cpus, MemoryMib};
use crate::vm_uids::FIRST_UID;

const WEB: &str = "00112233445566aa";
const DB: &str = "00112233445566bb";
const BOOT: &str = "this boot";

/// Two guests that run: one in its scope, one of an older version in the helper's group.
struct Bench {
    folder: tempfile::TempDir,
    places: Places,
    store: Store,
    processes: FakeProcesses,
    /// The id that the process with that number answers with.
    answers: Vec<(u32, &'static str)>,
}

fn id(text: &str) -> VmId {
    text.parse().unwrap()
}

fn record(vm: &str, name: &str, uid: u32, seen: &ProcessInfo) -> VmRecord {
    VmRecord {
        schema: RECORD_SCHEMA,
        id: id(vm),
        name: name.parse().unwrap(),
        cpus: Cpus::default(),
        memory_mib: MemoryMib::try_from(256).unwrap(),
        uid,
        state: VmState::Running,
        reason: None,
        boot_id: BOOT.into(),
        started: None,
        process: Some(ProcessRecord {
            pid: seen.pid,
            start_time: seen.start_time,
            pidfd_inode: seen.pidfd_inode,
            control_group: seen.control_group.clone(),
            executable: Some((1, 2)),
        }),
        scope: None,
        ended: None,
    }
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (state, run) = (folder.path().join("state"), folder.path().join("run"));
        std::fs::create_dir(&state).unwrap();
        std::fs::create_dir(&run).unwrap();
        let places = Places::new(state, run);
        let store = Store::open(places.clone()).unwrap();
        let mut web = firecracker(4121, 77, FIRST_UID, WEB);
        web.control_group = format!("/banger.slice/{}", scope_name(&id(WEB)));
        let db = firecracker(4122, 78, 600_001, DB);
        let records = [
            record(WEB, "web", FIRST_UID, &web),
            record(DB, "db", 600_001, &db),
        ];
        for record in &records {
            store.save(record).unwrap();
            let root = places.jail_root(&record.id);
            std::fs::create_dir_all(&root).unwrap();
            let pid = record.process.as_ref().unwrap().pid.to_string();
            std::fs::write(root.join("firecracker.pid"), pid).unwrap();
            symlink(places.jail_socket(&record.id), places.api_link(&record.id)).unwrap();
        }
        store
            .publish(BOOT, &records.map(|record| record.summary()))
            .unwrap();
        store.save_last_uid(FIRST_UID).unwrap();
        Self {
            folder,
            places,
            store,
            processes: FakeProcesses::of(vec![web, db]),
            answers: vec![(4121, WEB), (4122, DB)],
        }
    }

    fn find(&self) -> Findings {
        let ask = |vm: &VmId, pid: u32| {
            let says = self.answers.iter().find(|(of, _)| *of == pid);
            match says {
                Some((_, says)) if *says == vm.as_str() => Ok(()),
                Some(_) => Err("another VM".to_owned()),
                None => Err("no answer".to_owned()),
            }
        };
        let uid_of_jail = |vm: &VmId| {
            let uid = if *vm == id(WEB) { FIRST_UID } else { 600_001 };
            self.places.jail_root(vm).exists().then_some(uid)
        };
        let host = Host {
            processes: &self.processes,
            ask: &ask,
            uid_of_jail: &uid_of_jail,
        };
        find_again(&self.store, &self.places, BOOT, &host).unwrap()
    }

    fn records(&self, vm: &str) -> [PathBuf; 2] {
        [
            self.places.record(&id(vm)),
            self.places.last_record(&id(vm)),
        ]
    }

    /// Every file of state, by kind.
    fn state_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for vm in [WEB, DB] {
            files.extend(self.records(vm));
            files.push(self.places.api_link(&id(vm)));
            files.push(self.places.jail_root(&id(vm)).join("firecracker.pid"));
        }
        files.extend([self.places.handles(), self.places.uids()]);
        files
    }
}

/// The VMs that were found to run, as name and number.
fn running(findings: &Findings) -> Vec<(String, u32)> {
    let mut found: Vec<(String, u32)> = findings
        .vms
        .iter()
        .filter_map(|vm| match &vm.decision {
            Decision::Mine(seen) => Some((vm.record.name.to_string(), seen.pid)),
            _ => None,
        })
        .collect();
    found.sort();
    found
}

fn both() -> Vec<(String, u32)> {
    vec![("db".into(), 4122), ("web".into(), 4121)]
}

/// What can happen to a file.
fn damages(path: &Path, other: &Path) -> Vec<Option<Vec<u8>>> {
    if path.is_symlink() {
        return vec![None];
    }
    let sound = std::fs::read(path).unwrap();
    let flipped = (0..sound.len() * 8).step_by(7).map(|bit| {
        let mut bytes = sound.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        Some(bytes)
    });
    let half = sound[..sound.len() / 2].to_vec();
    let others = std::fs::read(other).unwrap();
    let plain = [None, Some(Vec::new()), Some(half), Some(others)];
    plain.into_iter().chain(flipped).collect()
}

fn damage(path: &Path, with: Option<&[u8]>) {
    match with {
        Some(bytes) => std::fs::write(path, bytes).unwrap(),
        None => std::fs::remove_file(path).unwrap(),
    }
}

fn put_back(path: &Path, sound: Option<&[u8]>, bench: &Bench) {
    if let Some(bytes) = sound {
        return std::fs::write(path, bytes).unwrap();
    }
    let vm = path.file_stem().unwrap().to_str().unwrap();
    symlink(bench.places.jail_socket(&id(vm)), path).unwrap();
}

#[test]
fn with_any_state_file_lost_or_damaged_both_guests_are_found() {
    let bench = Bench::new();
    let other = bench.places.record(&id(DB));
    for path in bench.state_files() {
        let sound = (!path.is_symlink()).then(|| std::fs::read(&path).unwrap());
        for with in damages(&path, &other) {
            damage(&path, with.as_deref());
            let found = bench.find();
            assert_eq!(running(&found), both(), "{} as {with:?}", path.display());
            assert!(found.others.is_empty(), "{:?}", found.others);
            if with.is_some() {
                std::fs::remove_file(&path).unwrap();
            }
            put_back(&path, sound.as_deref(), &bench);
        }
    }
}

#[test]
fn a_record_that_is_lost_with_its_copy_is_made_anew_from_what_runs() {
    for damage_too in ["", "handles.json", "firecracker.pid", "link", "folder"] {
        let bench = Bench::new();
        for path in bench.records(WEB) {
            damage(&path, Some(b"{"));
        }
        match damage_too {
            "handles.json" => damage(&bench.places.handles(), None),
            "firecracker.pid" => {
                let pidfile = bench.places.jail_root(&id(WEB)).join("firecracker.pid");
                // what it names is not the VM's: written by a VMM that was taken over
                damage(&pidfile, Some(b"4122"));
            }
            "link" => damage(&bench.places.api_link(&id(WEB)), None),
            "folder" => std::fs::remove_dir_all(bench.places.vm(&id(WEB))).unwrap(),
            _ => {}
        }
        let found = bench.find();
        let name = if damage_too == "handles.json" {
            WEB
        } else {
            "web"
        };
        let mut expected = vec![("db".to_owned(), 4122), (name.to_owned(), 4121)];
        expected.sort();
        assert_eq!(running(&found), expected, "with {damage_too:?}");
        let web = found.vms.iter().find(|vm| vm.record.id == id(WEB)).unwrap();
        assert!(web.to_write);
        assert_eq!(web.record.uid, FIRST_UID);
        assert_eq!(web.record.scope, Some(scope_name(&id(WEB))));
        let process = web.record.process.as_ref().unwrap();
        assert_eq!((process.pid, process.start_time), (4121, 77));
        if name == "web" {
            assert_eq!(web.record.memory_mib.get(), 256);
        }
    }
}

#[test]
fn without_the_vms_own_answer_a_process_is_shown_and_left_alone() {
    for answers in [vec![], vec![(4121, DB)]] {
        let mut bench = Bench::new();
        bench.answers = answers;
        bench
            .records(WEB)
            .iter()
            .for_each(|path| damage(path, None));
        let found = bench.find();
        assert_eq!(running(&found), [("db".to_owned(), 4122)]);
        let [web] = found.others.as_slice() else {
            panic!("{:?}", found.others);
        };
        assert_eq!((web.name.as_str(), web.pid), ("web", Some(4121)));
        assert_eq!((web.state, &web.id), (VmState::Unmanaged, &Some(id(WEB))));
        assert!(found.foreign_uids.contains(&FIRST_UID));
    }
}

#[test]
fn a_process_of_another_uid_scope_or_program_is_not_taken_for_the_vm() {
    let changes: [fn(&mut ProcessInfo); 4] = [
        |seen| seen.uid = FIRST_UID + 1,
        |seen| seen.control_group = "/banger.slice/banger-vm-00112233445566cc.scope".into(),
        |seen| seen.control_group = "/machine.slice/systemd-nspawn@x.service".into(),
        |seen| seen.comm = "sh".into(),
    ];
    for change in changes {
        let mut bench = Bench::new();
        change(&mut bench.processes.list[0]);
        bench
            .records(WEB)
            .iter()
            .for_each(|path| damage(path, None));
        let found = bench.find();
        assert_eq!(running(&found), [("db".to_owned(), 4122)]);
        assert!(!found.others.is_empty(), "the VM is shown all the same");
    }
}

#[test]
fn a_record_of_a_later_version_is_not_overwritten() {
    let bench = Bench::new();
    damage(&bench.places.record(&id(WEB)), Some(br#"{"schema":2}"#));
    let found = bench.find();
    assert_eq!(running(&found), [("db".to_owned(), 4122)]);
    let [web] = found.others.as_slice() else {
        panic!("{:?}", found.others);
    };
    assert_eq!((web.state, web.pid), (VmState::Unmanaged, Some(4121)));
}

#[test]
fn a_lost_vm_that_does_not_run_is_shown_as_broken() {
    let mut bench = Bench::new();
    bench.processes.list.remove(0);
    bench
        .records(WEB)
        .iter()
        .for_each(|path| damage(path, None));
    let found = bench.find();
    let [web] = found.others.as_slice() else {
        panic!("{:?}", found.others);
    };
    assert_eq!((web.state, web.pid), (VmState::Broken, None));
    assert!(bench.folder.path().exists());
}

#[test]
fn who_cannot_see_calls_nothing_gone_or_broken() {
    let mut bench = Bench::new();
    bench.processes.unlisted = [4121, 4122].into();
    bench.processes.unreadable = [4121, 4122].into();
    bench.processes.blind = Some(Blindness::NoInit);
    bench
        .records(WEB)
        .iter()
        .for_each(|path| damage(path, None));
    let found = bench.find();
    assert!(found.blindness.is_some());
    let [web] = found.others.as_slice() else {
        panic!("{:?}", found.others);
    };
    assert_eq!(web.state, VmState::Unmanaged);
    let [db] = found.vms.as_slice() else {
        panic!("{:?}", found.vms);
    };
    assert!(matches!(db.decision, Decision::Unsure(_)), "{db:?}");
}

#[test]
fn ten_thousand_ended_vms_cost_a_look_at_what_runs_and_no_more() {
    let bench = Bench::new();
    let model = record(WEB, "model", FIRST_UID, &bench.processes.list[0]);
    for number in 0..10_000_u32 {
        let ended = VmRecord {
            id: VmId::from_random(u64::from(number).to_be_bytes()),
            name: format!("vm{number}").parse().unwrap(),
            uid: FIRST_UID + 1 + number,
            state: VmState::Stopped,
            process: Some(ProcessRecord {
                pid: 100_000 + number,
                ..model.process.clone().unwrap()
            }),
            ..model.clone()
        };
        // without the syncs of a store, which would take minutes
        std::fs::create_dir(bench.places.vm(&ended.id)).unwrap();
        let text = serde_json::to_vec(&ended).unwrap();
        std::fs::write(bench.places.record(&ended.id), text).unwrap();
    }
    let found = bench.find();
    assert_eq!(running(&found), both());
    let gone = |vm: &&Finding| matches!(vm.decision, Decision::Gone(_));
    assert_eq!(found.vms.iter().filter(gone).count(), 10_000);
    assert!(found.vms.iter().all(|vm| !vm.to_write));
    assert_eq!(*bench.processes.looked_at.lock().unwrap(), [4121, 4122]);
}
