//! The VMs as the helper knows them: records in memory and on disk, kept alike.
//!
//! Guarantees: names and uids are unique; a uid is given out again as late as can be, and never while
//! a process runs under it; a change is on disk before the next one is made; and when the disk
//! refuses a change that reports what has happened already, the change stays in memory and no VM is
//! touched for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::observe::{Blindness, HostProcesses, Pinned, Processes};
use crate::protocol::{Fault, NewVm, VmId, VmName, VmState, VmSummary};
use crate::storage::{RECORD_SCHEMA, Store, VmRecord, is_named_in_handles};
use crate::vm_uids;

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
    /// Uids of processes and jails without a record.
    foreign_uids: BTreeSet<u32>,
    /// Why not every process could be seen when the VMs were found.
    blindness: Option<Blindness>,
    /// The uid that was given out last, once it is known.
    last_uid: Option<u32>,
}

impl Inner {
    fn doubtful(&self) -> impl Iterator<Item = &VmId> {
        let is_doubtful = |one: &&Machine| one.record.state == VmState::Unmanaged;
        let doubtful = self.machines.values().filter(is_doubtful);
        doubtful.map(|machine| &machine.record.id)
    }
}

/// What was found on the host.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) machines: Vec<Machine>,
    pub(super) others: Vec<VmSummary>,
    pub(super) foreign_uids: BTreeSet<u32>,
    pub(super) blindness: Option<Blindness>,
}

/// The registry.
pub struct Registry {
    store: Store,
    boot_id: String,
    processes: Box<dyn Processes + Send + Sync>,
    inner: Mutex<Inner>,
}

impl Registry {
    /// An empty one over a store. A boot that is not known is empty.
    pub fn new(store: Store, boot_id: String) -> Self {
        Self::over(store, boot_id, Box::new(HostProcesses))
    }

    fn over(store: Store, boot_id: String, processes: Box<dyn Processes + Send + Sync>) -> Self {
        Self {
            store,
            boot_id,
            processes,
            inner: Mutex::default(),
        }
    }

    /// Why changes are refused: not every process can be seen, now or when the VMs were found, so
    /// that a VM may run unseen. None when they are served.
    pub fn refuses(&self) -> Option<String> {
        self.blindness().map(|blindness| blindness.to_string())
    }

    fn blindness(&self) -> Option<Blindness> {
        if self.boot_id.is_empty() {
            return Some(Blindness::NoBoot);
        }
        let at_the_start = self.lock().blindness.clone();
        at_the_start.or_else(|| self.processes.blindness())
    }

    /// Lets a change pass, unless changes are refused. What only reads is not asked.
    ///
    /// # Errors
    /// [`Fault::HostLacks`].
    pub fn check_changes(&self) -> Result<(), Fault> {
        match self.blindness() {
            Some(blindness) => Err(Fault::HostLacks {
                what: format!("VMs are not changed while some may run unseen: {blindness}"),
                hint: blindness.hint(),
            }),
            None => Ok(()),
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
            uid: self.take_uid(&mut inner)?,
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

    /// Gives out a uid, and writes that down first: not one that a record names, nor one of what has
    /// no record, nor one that any process runs as.
    fn take_uid(&self, inner: &mut Inner) -> Result<u32, Fault> {
        let records = || inner.machines.values().map(|machine| machine.record.uid);
        let mut taken = vm_uids::in_use(&*self.processes)
            .map_err(|error| Fault::failed("cannot read the host's processes", error))?;
        taken.extend(records());
        taken.extend(&inner.foreign_uids);
        // where what was written down is lost, the records tell how far it had come
        let last = inner
            .last_uid
            .or_else(|| self.store.last_uid())
            .or_else(|| records().max());
        let uid =
            vm_uids::next_free(last, |uid| taken.contains(&uid)).ok_or_else(|| Fault::Failed {
                reason: "every user id for VMs is taken; delete a VM first".into(),
            })?;
        self.store
            .save_last_uid(uid)
            .map_err(|error| Fault::failed(&error, source_of(&error)))?;
        inner.last_uid = Some(uid);
        Ok(uid)
    }

    /// Puts in what was found at the start, and publishes it.
    pub(super) fn fill(&self, content: Content) {
        let mut inner = self.lock();
        inner.machines = content
            .machines
            .into_iter()
            .map(|machine| (machine.record.id.clone(), machine))
            .collect();
        inner.others = content.others;
        inner.foreign_uids = content.foreign_uids;
        inner.blindness = content.blindness;
        self.publish(&inner);
    }

    /// Puts in what a later look at what was in doubt found, and publishes it. A VM that is decided
    /// already stays as it is. Of what has no record nothing is added: it may be a VM that was about
    /// to get one.
    pub(super) fn settle_doubts(&self, found: Vec<Machine>, others: &[VmSummary]) {
        let doubtful = self.ids_in_doubt();
        let mut inner = self.lock();
        let mut changed = false;
        for machine in found {
            let id = machine.record.id.clone();
            let known = inner.machines.get(&id).map(|known| &known.record);
            if doubtful.contains(&id) && known != Some(&machine.record) {
                inner.machines.insert(id, machine);
                changed = true;
            }
        }
        let Inner {
            machines,
            others: shown,
            ..
        } = &mut *inner;
        let before = shown.len();
        shown.retain(|one| {
            let adopted = one.id.as_ref().is_some_and(|id| machines.contains_key(id));
            let is_there = |other: &VmSummary| (&other.id, other.pid) == (&one.id, one.pid);
            let may_go = one.state == VmState::Unmanaged;
            !adopted && (!may_go || others.iter().any(is_there))
        });
        // most looks find what the last one found, and each list is synced
        if changed || shown.len() != before {
            self.publish(&inner);
        }
    }

    /// Something is in doubt, and another look may settle it.
    pub(super) fn is_in_doubt(&self) -> bool {
        let inner = self.lock();
        inner.blindness.is_some()
            || inner
                .others
                .iter()
                .any(|one| one.state == VmState::Unmanaged)
            || inner.doubtful().next().is_some()
    }

    /// The VMs in doubt, with and without a record. No request changes one of them.
    pub(super) fn ids_in_doubt(&self) -> BTreeSet<VmId> {
        let inner = self.lock();
        let without_record = inner.others.iter().filter_map(|one| one.id.as_ref());
        inner.doubtful().chain(without_record).cloned().collect()
    }

    /// The records of the VMs in doubt.
    pub(super) fn machines_in_doubt(&self) -> Vec<VmRecord> {
        let inner = self.lock();
        let record = |id| inner.machines.get(id).map(|machine| machine.record.clone());
        inner.doubtful().filter_map(record).collect()
    }

    /// A VM is shown as unmanaged that has no record.
    pub(super) fn lacks_records(&self) -> bool {
        let inner = self.lock();
        let mut others = inner.others.iter();
        others.any(|one| one.id.is_some() && one.state == VmState::Unmanaged)
    }

    /// Not every process could be seen when the VMs were found.
    pub(super) fn was_blind(&self) -> bool {
        self.lock().blindness.is_some()
    }

    /// Where not all can be seen, what was seen before is left in place.
    fn publish(&self, inner: &Inner) {
        if inner.blindness.is_some() {
            return;
        }
        let named = inner
            .machines
            .values()
            .filter(|machine| is_named_in_handles(machine.record.state))
            .map(|machine| machine.record.summary());
        let named = by_name(named.chain(inner.others.iter().cloned()));
        if let Err(error) = self.store.publish(&self.boot_id, &named) {
            tracing::error!("{error}: {}", source_of(&error));
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Registry")
            .field("store", &self.store)
            .field("boot_id", &self.boot_id)
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

fn list(inner: &Inner) -> Vec<VmSummary> {
    let known = inner
        .machines
        .values()
        .map(|machine| machine.record.summary());
    by_name(known.chain(inner.others.iter().cloned()))
}

fn by_name(vms: impl Iterator<Item = VmSummary>) -> Vec<VmSummary> {
    let mut vms: Vec<VmSummary> = vms.collect();
    vms.sort_by(|one, other| one.name.cmp(&other.name));
    vms
}

pub(super) fn source_of(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests;
