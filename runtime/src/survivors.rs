//! The guests that an update must not touch, found without asking a daemon: the daemon may be of
//! any version, stopped or broken.
//!
//! Guarantees: a guest is listed when its record or `handles.json` names a process that lives under
//! that number with that start time, and so is every process that runs as a VM's user, whether a
//! record knows it or not: what is in doubt is protected too. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use banger_installer::model::{ProcessIdentity, Survivor};

use crate::observe::{HostProcesses, Processes, Seen, boot_id};
use crate::protocol::EndCause;
use crate::reconcile::{FIRST_UID, LAST_UID};
use crate::storage::{Endings, Handles, Loaded, Places, StorageError, Store};

/// Why the guests cannot be listed. Then nothing may be stopped.
#[derive(Debug, thiserror::Error)]
pub enum SurvivorsError {
    /// The records.
    #[error("cannot read the VMs' records")]
    Storage(#[from] StorageError),
    /// The processes.
    #[error("cannot read the host's processes")]
    Processes(#[from] std::io::Error),
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
    /// [`SurvivorsError`].
    pub fn list(&self) -> Result<Vec<Survivor>, SurvivorsError> {
        self.list_among(&HostProcesses, &boot_id()?)
    }

    fn list_among(
        &self,
        processes: &impl Processes,
        boot_id: &str,
    ) -> Result<Vec<Survivor>, SurvivorsError> {
        let names: BTreeMap<(u32, u64), (String, String)> = self
            .named(boot_id)?
            .into_iter()
            .map(|(name, id, process)| ((process.pid, process.start_time), (name, id)))
            .collect();
        let recorded: BTreeSet<u32> = names.keys().map(|(pid, _)| *pid).collect();
        let as_a_vm = |uid: u32| (FIRST_UID..=LAST_UID).contains(&uid);
        let mut guests = Vec::new();
        for pid in processes.pids()? {
            if !recorded.contains(&pid) && !processes.uid(pid)?.is_some_and(as_a_vm) {
                continue;
            }
            let Some(seen) = processes.see(pid)?.filter(|seen| !seen.exited) else {
                continue;
            };
            let known = names.get(&(seen.pid, seen.start_time)).cloned();
            let unknown = || as_a_vm(seen.uid).then(|| name_of_unknown(&seen));
            if let Some((name, id)) = known.or_else(unknown) {
                guests.push(Survivor {
                    name,
                    id,
                    identity: ProcessIdentity {
                        pid: seen.pid,
                        start_time: seen.start_time,
                    },
                    control_group: seen.control_group,
                });
            }
        }
        guests.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(guests)
    }

    /// How the process of the VM with that id ended, by its record or, when it is deleted, by what
    /// was written down then; none when neither says anything of an end.
    ///
    /// # Errors
    /// [`SurvivorsError::Storage`].
    pub fn end_of(&self, id: &str) -> Result<Option<EndCause>, SurvivorsError> {
        let of_that_id = |loaded| match loaded {
            Loaded::Good(record) if record.id.as_str() == id => Some(record),
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

    /// What the records and `handles.json` name, in this boot: name, id, process.
    fn named(&self, boot: &str) -> Result<Vec<(String, String, ProcessIdentity)>, StorageError> {
        if !self.places.state().exists() {
            return Ok(Vec::new());
        }
        let mut named = Vec::new();
        for handle in self.handles(boot) {
            let vm = handle.vm;
            if let (Some(pid), Some(start_time)) = (vm.pid, vm.start_time) {
                let identity = ProcessIdentity { pid, start_time };
                let id = vm
                    .id
                    .map_or_else(|| format!("process-{pid}"), |id| id.to_string());
                named.push((vm.name, id, identity));
            }
        }
        for loaded in Store::reading(self.places.clone()).load()? {
            let Loaded::Good(record) = loaded else {
                continue;
            };
            if let (Some(process), true) = (&record.process, record.boot_id == boot) {
                let identity = ProcessIdentity {
                    pid: process.pid,
                    start_time: process.start_time,
                };
                named.push((record.name.to_string(), record.id.to_string(), identity));
            }
        }
        Ok(named)
    }

    /// A list that is missing, damaged or of another boot names nothing: the records do.
    fn handles(&self, boot: &str) -> Vec<crate::storage::Handle> {
        let bytes = fs_err::read(self.places.handles()).unwrap_or_default();
        match serde_json::from_slice::<Handles>(&bytes) {
            Ok(handles) if handles.boot_id == boot => handles.vms,
            _ => Vec::new(),
        }
    }
}

/// A name to show, and an id that a unit's name can carry: nothing of it comes from the process.
fn name_of_unknown(seen: &Seen) -> (String, String) {
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
        let processes = FakeProcesses(vec![firecracker(4121, 77, 600_000, "x")]);
        let list = guests.list_among(&processes, "this boot").unwrap();
        let [web] = list.as_slice() else {
            panic!("{list:?}");
        };
        assert_eq!(web.control_group, "/system.slice/bangerd-root.service");
        assert_eq!((web.identity.pid, web.identity.start_time), (4121, 77));
    }

    #[test]
    fn a_reused_number_or_another_boot_is_no_guest() {
        let (_folder, guests) = guests();
        let reused = FakeProcesses(vec![firecracker(4121, 78, 1000, "x")]);
        assert!(names(&guests, &reused, "this boot").is_empty());
        let same = FakeProcesses(vec![firecracker(4121, 77, 1000, "x")]);
        assert!(names(&guests, &same, "another boot").is_empty());
        assert_eq!(names(&guests, &same, "this boot"), ["web"]);
    }

    #[test]
    fn a_process_that_runs_as_a_vm_is_protected_without_a_record() {
        let (_folder, guests) = guests();
        let ghost = FakeProcesses(vec![firecracker(6001, 5, 600_009, "../x")]);
        let list = guests.list_among(&ghost, "this boot").unwrap();
        let [one] = list.as_slice() else {
            panic!("{list:?}");
        };
        assert_eq!(
            (one.name.as_str(), one.id.as_str()),
            ("../x", "process-6001")
        );
    }

    #[test]
    fn a_host_without_state_has_no_guests() {
        let places = Places::new("/nonexistent", "/nonexistent");
        let nobody = FakeProcesses(vec![firecracker(1, 1, 1000, "x")]);
        assert!(names(&InstalledGuests::at(places), &nobody, "boot").is_empty());
    }
}
