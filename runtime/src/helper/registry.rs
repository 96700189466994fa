//! The VMs as the helper knows them: records in memory and on disk, kept alike.
//!
//! Guarantees: names and uids are unique; a change is on disk before the next one is made; and when
//! the disk refuses a change that reports what has happened already, the change stays in memory and
//! no VM is touched for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::observe::Pinned;
use crate::protocol::{Fault, NewVm, VmId, VmName, VmState, VmSummary};
use crate::reconcile::{FIRST_UID, LAST_UID};
use crate::storage::{RECORD_SCHEMA, Store, VmRecord};

/// A VM and, while its process lives, the process.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) record: VmRecord,
    pub(super) pinned: Option<Arc<Pinned>>,
}

#[derive(Debug, Default)]
struct Inner {
    machines: BTreeMap<VmId, Machine>,
    /// What is shown and never touched: broken records and processes without a record.
    others: Vec<VmSummary>,
    /// Uids of processes without a record.
    foreign_uids: BTreeSet<u32>,
}

/// The registry.
#[derive(Debug)]
pub struct Registry {
    store: Store,
    boot_id: String,
    inner: Mutex<Inner>,
}

impl Registry {
    /// An empty one over a store.
    pub fn new(store: Store, boot_id: String) -> Self {
        Self {
            store,
            boot_id,
            inner: Mutex::default(),
        }
    }

    /// This boot.
    pub(super) fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// The records on disk.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// No code panics while it holds the lock; were one to, the map is still whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every VM, by name.
    pub fn list(&self) -> Vec<VmSummary> {
        list(&self.lock())
    }

    /// The VM of that name.
    pub(super) fn find(&self, name: &VmName) -> Result<Machine, Fault> {
        let inner = self.lock();
        let found = inner.machines.values().find(|one| one.record.name == *name);
        found.cloned().ok_or_else(|| Fault::NoSuchVm {
            name: name.to_string(),
        })
    }

    /// The VM with that id.
    pub(super) fn get(&self, id: &VmId) -> Option<Machine> {
        self.lock().machines.get(id).cloned()
    }

    /// Every VM.
    pub(super) fn machines(&self) -> Vec<Machine> {
        self.lock().machines.values().cloned().collect()
    }

    /// Takes a name, an id and a uid for a new VM, and writes down that it is about to start.
    pub(super) fn reserve(&self, new: &NewVm, id: VmId) -> Result<VmRecord, Fault> {
        let mut inner = self.lock();
        if inner
            .machines
            .values()
            .any(|one| one.record.name == new.name)
        {
            return Err(Fault::NameTaken {
                name: new.name.to_string(),
            });
        }
        let record = VmRecord {
            schema: RECORD_SCHEMA,
            uid: free_uid(&inner)?,
            id,
            name: new.name.clone(),
            cpus: new.cpus,
            memory_mib: new.memory_mib,
            state: VmState::Starting,
            reason: None,
            boot_id: self.boot_id.clone(),
            started: None,
            process: None,
            scope: None,
            ended: None,
        };
        self.store
            .save(&record)
            .map_err(|error| Fault::failed(&error, source_of(&error)))?;
        let machine = Machine {
            record: record.clone(),
            pinned: None,
        };
        inner.machines.insert(record.id.clone(), machine);
        self.publish(&inner);
        Ok(record)
    }

    /// Changes a VM, in memory and on disk, and returns its summary. A VM that is gone is none.
    pub(super) fn update(&self, id: &VmId, change: impl FnOnce(&mut Machine)) -> Option<VmSummary> {
        let mut inner = self.lock();
        let machine = inner.machines.get_mut(id)?;
        change(machine);
        let record = machine.record.clone();
        if let Err(error) = self.store.save(&record) {
            tracing::error!("{error}: {}", source_of(&error));
        }
        self.publish(&inner);
        Some(record.summary())
    }

    /// Moves a VM from one of `from` to `to`, unless another request was faster. On disk when it
    /// returns.
    pub(super) fn transition(
        &self,
        name: &VmName,
        from: &[VmState],
        to: VmState,
    ) -> Result<Machine, Fault> {
        let id = self.find(name)?.record.id;
        self.commit(&id, |machine| {
            if !from.contains(&machine.record.state) {
                return Err(Fault::WrongState {
                    name: name.to_string(),
                    state: machine.record.state.word().into(),
                });
            }
            machine.record.state = to;
            Ok(())
        })
    }

    /// Changes a VM on disk and then in memory: an intent, which must be on disk before the act. One
    /// that cannot be written, or that `change` refuses, is not made.
    pub(super) fn commit(
        &self,
        id: &VmId,
        change: impl FnOnce(&mut Machine) -> Result<(), Fault>,
    ) -> Result<Machine, Fault> {
        let mut inner = self.lock();
        let known = inner.machines.get_mut(id).ok_or_else(|| Fault::NoSuchVm {
            name: id.to_string(),
        })?;
        let mut changed = known.clone();
        change(&mut changed)?;
        self.store
            .save(&changed.record)
            .map_err(|error| Fault::failed(&error, source_of(&error)))?;
        *known = changed.clone();
        self.publish(&inner);
        Ok(changed)
    }

    /// Forgets a VM, on disk first.
    pub(super) fn forget(&self, id: &VmId) -> Result<(), Fault> {
        let mut inner = self.lock();
        self.store
            .remove(id)
            .map_err(|error| Fault::failed(&error, source_of(&error)))?;
        inner.machines.remove(id);
        self.publish(&inner);
        Ok(())
    }

    /// Puts in what was found at the start, and publishes it.
    pub(super) fn fill(
        &self,
        machines: Vec<Machine>,
        others: Vec<VmSummary>,
        foreign_uids: BTreeSet<u32>,
    ) {
        let mut inner = self.lock();
        inner.machines = machines
            .into_iter()
            .map(|machine| (machine.record.id.clone(), machine))
            .collect();
        inner.others = others;
        inner.foreign_uids = foreign_uids;
        self.publish(&inner);
    }

    fn publish(&self, inner: &Inner) {
        if let Err(error) = self.store.publish(&self.boot_id, &list(inner)) {
            tracing::error!("{error}: {}", source_of(&error));
        }
    }
}

fn list(inner: &Inner) -> Vec<VmSummary> {
    let known = inner
        .machines
        .values()
        .map(|machine| machine.record.summary());
    let mut vms: Vec<VmSummary> = known.chain(inner.others.iter().cloned()).collect();
    vms.sort_by(|one, other| one.name.cmp(&other.name));
    vms
}

fn free_uid(inner: &Inner) -> Result<u32, Fault> {
    let known: BTreeSet<u32> = inner.machines.values().map(|one| one.record.uid).collect();
    (FIRST_UID..=LAST_UID)
        .find(|uid| !known.contains(uid) && !inner.foreign_uids.contains(uid))
        .ok_or_else(|| Fault::Failed {
            reason: "every user id for VMs is taken; delete a VM first".into(),
        })
}

pub(super) fn source_of(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Cpus, MemoryMib};
    use crate::storage::Places;

    fn registry() -> (tempfile::TempDir, Registry) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Places::new(folder.path(), folder.path())).unwrap();
        (folder, Registry::new(store, "this boot".into()))
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
    fn no_two_vms_and_no_stranger_share_a_uid() {
        let (_folder, registry) = registry();
        registry.fill(vec![], vec![], [FIRST_UID + 1].into());
        let uids: Vec<u32> = (1..4)
            .map(|number| registry.reserve(&new(&format!("vm{number}")), id(number)))
            .map(|record| record.unwrap().uid)
            .collect();
        assert_eq!(uids, [FIRST_UID, FIRST_UID + 2, FIRST_UID + 3]);
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

    #[test]
    fn an_intent_that_cannot_be_written_is_no_vm() {
        let (folder, registry) = registry();
        std::fs::remove_dir(folder.path().join("vms")).unwrap();
        std::fs::write(folder.path().join("vms"), "in the way").unwrap();
        assert!(registry.reserve(&new("web"), id(1)).is_err());
        assert!(registry.list().is_empty());
    }
}
