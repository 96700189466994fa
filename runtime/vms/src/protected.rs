//! The guests that an update must not touch, found without asking a daemon: the daemon may be of
//! any version, stopped or broken.
//!
//! Guarantees: a guest is listed when its record, the copy of its record or `handles.json` names a
//! process that lives under that number with that start time and as a VM's uid, and so is every
//! process that runs as a VM where VMs live, whether a record knows it or not: what is in doubt is
//! protected too. What others run, with whatever uid, is not. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use banger_installer_host::{ProcessIdentity, ProtectedProcess};

use crate::observe::{Blindness, HostProcesses, ProcessInfo, Processes, Scan, boot_id};
use crate::protocol::EndCause;
use crate::reconcile::is_guest;
use crate::storage::{Endings, Loaded, Places, StorageError, Store};
use crate::vm_uids;

/// Why the guests cannot be listed. Then nothing may be stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProtectedError {
    /// The records.
    #[error("cannot read the VMs' records")]
    Storage(#[from] StorageError),
    /// The processes.
    #[error("cannot read the host's processes")]
    Processes(#[from] std::io::Error),
    /// Not all of them can be seen.
    #[error("guests may run unseen; {}", .0.hint())]
    Blind(#[source] Blindness),
    /// The process of a record is there and cannot be read.
    #[error("process {pid}, which a record names, cannot be read: {reason}")]
    Unreadable {
        /// Its number.
        pid: u32,
        /// Why.
        reason: String,
    },
}

/// What a record or `handles.json` says of a process.
#[derive(Debug, Clone)]
struct Named {
    name: String,
    id: String,
    identity: ProcessIdentity,
    /// The uid that it must run as; none where only some uid of a VM is known.
    uid: Option<u32>,
}

impl Named {
    /// It is that process. A jailer that has not given up its rights yet is root's.
    fn is(&self, seen: &ProcessInfo) -> bool {
        let right_uid = match self.uid {
            Some(uid) => seen.uid == uid || seen.uid == 0,
            None => vm_uids::may_be_of_a_vm(seen.uid),
        };
        right_uid && self.identity.start_time == seen.start_time
    }
}

/// The guests of an installed banger.
#[derive(Debug, Clone)]
pub struct InstalledGuests {
    places: Places,
}

impl InstalledGuests {
    /// Those of this host.
    pub fn of_host() -> Self {
        Self::at(Places::of_host())
    }

    /// Those whose state is kept at `places`.
    pub fn at(places: Places) -> Self {
        Self { places }
    }

    /// Every guest that lives now, by name.
    ///
    /// # Errors
    /// [`ProtectedError`].
    pub fn list(&self) -> Result<Vec<ProtectedProcess>, ProtectedError> {
        self.list_among(&HostProcesses, &boot_id()?)
    }

    fn list_among(
        &self,
        processes: &dyn Processes,
        boot_id: &str,
    ) -> Result<Vec<ProtectedProcess>, ProtectedError> {
        let mut named: BTreeMap<u32, Vec<Named>> = BTreeMap::new();
        for one in self.named(boot_id)? {
            named.entry(one.identity.pid).or_default().push(one);
        }
        let recorded: BTreeSet<u32> = named.keys().copied().collect();
        let scan = Scan::take(processes, &recorded, &vm_uids::may_be_of_a_vm)?;
        if let Some(blindness) = scan.blindness() {
            return Err(ProtectedError::Blind(blindness.clone()));
        }
        for pid in recorded {
            if let Some(reason) = scan.unreadable(pid) {
                let reason = reason.into();
                return Err(ProtectedError::Unreadable { pid, reason });
            }
        }
        let protected = |seen: &ProcessInfo| {
            let mut known = named.get(&seen.pid).into_iter().flatten();
            let (name, id) = match known.find(|one| one.is(seen)) {
                Some(one) => (one.name.clone(), one.id.clone()),
                None if is_guest(&scan, seen) => name_of_unknown(seen),
                None => return None,
            };
            let identity = ProcessIdentity {
                pid: seen.pid,
                start_time: seen.start_time,
            };
            let control_group = seen.control_group.clone();
            Some(ProtectedProcess {
                name,
                id,
                identity,
                control_group,
            })
        };
        let mut guests: Vec<ProtectedProcess> = scan.all().filter_map(protected).collect();
        guests.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(guests)
    }

    /// How the process of the VM with that id ended, by its record or, when it is deleted, by what
    /// was written down then; none when neither says anything of an end.
    ///
    /// # Errors
    /// [`ProtectedError::Storage`].
    pub fn end_of(&self, id: &str) -> Result<Option<EndCause>, ProtectedError> {
        let of_that_id = |loaded| match loaded {
            Loaded::Good(record)
            | Loaded::Broken {
                last: Some(record), ..
            } if record.id.as_str() == id => Some(record),
            _ => None,
        };
        let mut records = Store::reading(self.places.clone()).load()?.into_iter();
        if let Some(record) = records.find_map(of_that_id) {
            return Ok(record.ended);
        }
        let Ok(id) = id.parse() else {
            return Ok(None);
        };
        let ending = Endings::at(&self.places).find(&id)?;
        Ok(ending.map(|ending| ending.cause))
    }

    /// What the records and `handles.json` name, in this boot: the records first, which know more.
    fn named(&self, boot: &str) -> Result<Vec<Named>, StorageError> {
        let store = Store::reading(self.places.clone());
        let mut named = Vec::new();
        for loaded in store.load()? {
            let (Loaded::Good(record)
            | Loaded::Broken {
                last: Some(record), ..
            }) = loaded
            else {
                continue;
            };
            if let (Some(process), true) = (&record.process, record.boot_id == boot) {
                named.push(Named {
                    name: record.name.to_string(),
                    id: record.id.to_string(),
                    identity: ProcessIdentity {
                        pid: process.pid,
                        start_time: process.start_time,
                    },
                    uid: Some(record.uid),
                });
            }
        }
        // a list that is missing, damaged or of another boot names nothing
        for handle in store.handles(boot) {
            let vm = handle.vm;
            if let (Some(pid), Some(start_time)) = (vm.pid, vm.start_time) {
                named.push(Named {
                    name: vm.name,
                    id: vm
                        .id
                        .map_or_else(|| format!("process-{pid}"), |id| id.to_string()),
                    identity: ProcessIdentity { pid, start_time },
                    uid: None,
                });
            }
        }
        Ok(named)
    }
}

/// A name to show, and an id that a unit's name can carry: nothing of it comes from the process.
fn name_of_unknown(seen: &ProcessInfo) -> (String, String) {
    let shown = seen
        .option("--id")
        .map(|id| id.to_string_lossy().into_owned());
    let id = format!("process-{}", seen.pid);
    (shown.unwrap_or_else(|| id.clone()), id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::fake::{FakeProcesses, firecracker};
    use crate::protocol::{Cpus, MemoryMib, VmState};
    use crate::storage::{ProcessRecord, VmRecord};

    fn guests() -> (tempfile::TempDir, InstalledGuests) {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(folder.path(), folder.path());
        let store = Store::open(places.clone()).unwrap();
        let record = VmRecord {
            schema: 1,
            id: "00112233445566aa".parse().unwrap(),
            name: "web".parse().unwrap(),
            cpus: Cpus::default(),
            memory_mib: MemoryMib::default(),
            uid: 600_000,
            state: VmState::Running,
            reason: None,
            boot_id: "this boot".into(),
            started: None,
            process: Some(ProcessRecord {
                pid: 4121,
                start_time: 77,
                pidfd_inode: None,
                control_group: "/old".into(),
                executable: None,
            }),
            scope: None,
            ended: None,
        };
        store.save(&record).unwrap();
        (folder, InstalledGuests::at(places))
    }

    fn names(guests: &InstalledGuests, processes: &FakeProcesses, boot: &str) -> Vec<String> {
        let list = guests.list_among(processes, boot).unwrap();
        list.into_iter().map(|guest| guest.name).collect()
    }

    #[test]
    fn a_guest_that_lives_is_listed_with_the_control_group_it_has_now() {
        let (_folder, guests) = guests();
        let processes = FakeProcesses::of(vec![firecracker(4121, 77, 600_000, "x")]);
        let list = guests.list_among(&processes, "this boot").unwrap();
        let [web] = list.as_slice() else {
            panic!("{list:?}");
        };
        assert_eq!(web.control_group, "/system.slice/bangerd-root.service");
        assert_eq!((web.identity.pid, web.identity.start_time), (4121, 77));
    }

    #[test]
    fn a_reused_number_another_uid_or_another_boot_is_no_guest() {
        let (_folder, guests) = guests();
        let reused = FakeProcesses::of(vec![firecracker(4121, 78, 1000, "x")]);
        assert!(names(&guests, &reused, "this boot").is_empty());
        let another = FakeProcesses::of(vec![firecracker(4121, 77, 1000, "x")]);
        assert!(names(&guests, &another, "this boot").is_empty());
        let same = FakeProcesses::of(vec![elsewhere(4121, 77, 600_000)]);
        assert!(names(&guests, &same, "another boot").is_empty());
        assert_eq!(names(&guests, &same, "this boot"), ["web"]);
        // it is root's until the jailer gives up its rights
        let jailer = FakeProcesses::of(vec![firecracker(4121, 77, 0, "x")]);
        assert_eq!(names(&guests, &jailer, "this boot"), ["web"]);
    }

    /// A process of a VM's uid in a container.
    fn elsewhere(pid: u32, start_time: u64, uid: u32) -> ProcessInfo {
        ProcessInfo {
            control_group: "/machine.slice/systemd-nspawn@box.service/payload".into(),
            ..firecracker(pid, start_time, uid, "x")
        }
    }

    #[test]
    fn what_runs_in_others_containers_is_no_guest() {
        let (_folder, guests) = guests();
        let containers = FakeProcesses::of(vec![
            elsewhere(6001, 5, 600_009),
            elsewhere(6002, 5, vm_uids::FIRST_UID),
            elsewhere(6003, 5, 524_288),
            firecracker(6004, 5, 524_288, "x"),
        ]);
        assert!(names(&guests, &containers, "this boot").is_empty());
    }

    #[test]
    fn a_process_that_runs_as_a_vm_is_protected_without_a_record() {
        let (_folder, guests) = guests();
        for uid in [600_009, vm_uids::FIRST_UID] {
            let ghost = FakeProcesses::of(vec![firecracker(6001, 5, uid, "../x")]);
            let list = guests.list_among(&ghost, "this boot").unwrap();
            let [one] = list.as_slice() else {
                panic!("{list:?}");
            };
            assert_eq!(
                (one.name.as_str(), one.id.as_str()),
                ("../x", "process-6001")
            );
        }
    }

    #[test]
    fn a_damaged_record_protects_by_its_copy() {
        let (folder, guests) = guests();
        std::fs::write(folder.path().join("vms/00112233445566aa/record.json"), "{").unwrap();
        let web = FakeProcesses::of(vec![elsewhere(4121, 77, 600_000)]);
        assert_eq!(names(&guests, &web, "this boot"), ["web"]);
    }

    #[test]
    fn where_guests_cannot_be_seen_nothing_may_be_stopped() {
        let (_folder, guests) = guests();
        let web = || vec![firecracker(4121, 77, 600_000, "x")];
        let blind = FakeProcesses {
            blind: Some(Blindness::NoInit),
            ..FakeProcesses::of(web())
        };
        let listed = guests.list_among(&blind, "this boot");
        assert!(matches!(listed, Err(ProtectedError::Blind(_))));
        let unreadable = FakeProcesses {
            unreadable: [4121].into(),
            ..FakeProcesses::of(web())
        };
        let listed = guests.list_among(&unreadable, "this boot");
        assert!(matches!(
            listed,
            Err(ProtectedError::Unreadable { pid: 4121, .. })
        ));
    }

    #[test]
    fn a_stranger_that_cannot_be_read_is_in_nobodys_way() {
        let (_folder, guests) = guests();
        let mut processes = FakeProcesses::of(vec![
            firecracker(4121, 77, 600_000, "x"),
            firecracker(500, 1, 1000, "x"),
        ]);
        processes.unreadable = [500].into();
        assert_eq!(names(&guests, &processes, "this boot"), ["web"]);
        assert_eq!(*processes.looked_at.lock().unwrap(), [4121]);
    }

    #[test]
    fn a_host_without_state_has_no_guests() {
        let places = Places::new("/nonexistent", "/nonexistent");
        let nobody = FakeProcesses::of(vec![firecracker(1, 1, 1000, "x")]);
        assert!(names(&InstalledGuests::at(places), &nobody, "boot").is_empty());
    }
}
