//! Records on disk.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::{
    HANDLES_SCHEMA, Handle, Handles, Places, RECORD_SCHEMA, SealError, UIDS_SCHEMA, Uids, VmRecord,
    create_folder, is_named_in_handles, seal, unseal, write_whole,
};
use crate::protocol::{VmId, VmSummary};

/// Why state on disk could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A file or folder.
    #[error("cannot {what}")]
    Io {
        /// What was tried, on what.
        what: String,
        /// Why it was refused.
        #[source]
        source: io::Error,
    },
    /// Not JSON of the shape that is written there.
    #[error("{path} is damaged")]
    Shape {
        /// The file.
        path: String,
        /// How it is damaged.
        #[source]
        source: SealError,
    },
    /// Written by a later version.
    #[error("{path} has schema {found}; this program reads schema {known}")]
    Schema {
        /// The file.
        path: String,
        /// The schema that it names.
        found: u32,
        /// The schema that this program reads.
        known: u32,
    },
    /// A record that names another VM than its folder does.
    #[error("{path} is the record of another VM")]
    Foreign {
        /// The file.
        path: String,
    },
}

impl StorageError {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            what: what.into(),
            source,
        }
    }
}

/// What was found for one VM's folder.
#[derive(Debug)]
pub enum Loaded {
    /// A record.
    Good(Box<VmRecord>),
    /// A VM whose record is lost or cannot be read.
    Broken {
        /// The name of its folder or jail, which is the VM's id.
        id: VmId,
        /// Why.
        error: StorageError,
        /// The last good copy of the record, which may be one change behind. None of a record that
        /// a later version wrote: it is good, but not for this program.
        last: Option<Box<VmRecord>>,
    },
}

/// The records of every VM.
#[derive(Debug, Clone)]
pub struct Store {
    places: Places,
}

impl Store {
    /// Opens the store, making its folders where they are missing.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn open(places: Places) -> Result<Self, StorageError> {
        for folder in [places.vms(), places.jails(), places.program_jails()] {
            create_folder(&folder, 0o755).map_err(StorageError::io("prepare the state folder"))?;
        }
        Ok(Self { places })
    }

    /// A store to read from: nothing is made. Where there is no state yet, there are no VMs.
    pub fn reading(places: Places) -> Self {
        Self { places }
    }

    /// Every VM that has a folder or a jail. A broken record is an entry, not an end.
    ///
    /// # Errors
    /// [`StorageError::Io`], when the folders of all VMs cannot be listed: then nothing is known.
    pub fn load(&self) -> Result<Vec<Loaded>, StorageError> {
        let mut ids = ids_in(&self.places.vms())?;
        ids.extend(ids_in(&self.places.program_jails())?);
        Ok(ids.into_iter().filter_map(|id| self.load_one(id)).collect())
    }

    fn load_one(&self, id: VmId) -> Option<Loaded> {
        let error = match read_record(self.places.record(&id), &id) {
            Ok(record) => return Some(Loaded::Good(Box::new(record))),
            Err(error) => error,
        };
        let of_a_later_version = matches!(error, StorageError::Schema { .. });
        let copy = Some(self.places.last_record(&id))
            .filter(|_| !of_a_later_version)
            .and_then(|path| read_record(path, &id).ok())
            .map(Box::new);
        let lost = matches!(&error, StorageError::Io { source, .. }
            if source.kind() == io::ErrorKind::NotFound);
        // a start that was interrupted before its record was written had done nothing yet
        if lost && copy.is_none() && !self.places.jail(&id).exists() {
            return None;
        }
        Some(Loaded::Broken {
            id,
            error,
            last: copy,
        })
    }

    /// Writes a record, and the VM's folder when it is new. On disk when it returns. A copy is kept
    /// beside it.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn save(&self, record: &VmRecord) -> Result<(), StorageError> {
        let what = || format!("write the record of VM {}", record.name);
        create_folder(&self.places.vm(&record.id), 0o700).map_err(StorageError::io(what()))?;
        let path = self.places.record(&record.id);
        let bytes = to_json(record, &path)?;
        write_whole(&path, &bytes, 0o600).map_err(StorageError::io(what()))?;
        // after the record, so that one of the two is whole and durable at any time; that the copy
        // is behind is no reason to refuse what is on disk already
        if let Err(error) = write_whole(&self.places.last_record(&record.id), &bytes, 0o600) {
            tracing::warn!("no copy of the record of VM {}: {error}", record.name);
        }
        Ok(())
    }

    /// A record is kept twice, with its checksum. False of one that a version up to 0.1.0 wrote.
    pub fn has_copy(&self, record: &VmRecord) -> bool {
        let copy = self.places.last_record(&record.id);
        read_record(copy, &record.id).is_ok_and(|copy| copy == *record)
    }

    /// Removes a VM's folder. One that is gone already is fine.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn remove(&self, id: &VmId) -> Result<(), StorageError> {
        match fs_err::remove_dir_all(self.places.vm(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StorageError::io(
                format!("remove the state of VM {id}"),
            )(error)),
            _ => Ok(()),
        }
    }

    /// Writes `handles.json` anew. Of `vms` it names those that [`is_named_in_handles`] says.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn publish(&self, boot_id: &str, vms: &[VmSummary]) -> Result<(), StorageError> {
        let handle = |vm: &VmSummary| Handle {
            vm: vm.clone(),
            api_socket: vm
                .id
                .as_ref()
                .filter(|_| vm.pid.is_some())
                .map(|id| self.places.api_link(id).display().to_string()),
        };
        let named = vms.iter().filter(|vm| is_named_in_handles(vm.state));
        let handles = Handles {
            schema: HANDLES_SCHEMA,
            boot_id: boot_id.into(),
            written_by: std::process::id(),
            vms: named.map(handle).collect(),
        };
        let path = self.places.handles();
        let bytes = to_json(&handles, &path)?;
        // as the umask of the helper has it
        write_whole(&path, &bytes, 0o600).map_err(StorageError::io("write handles.json"))
    }

    /// What `handles.json` names, when it is whole and of the boot `boot_id`; else nothing.
    pub fn handles(&self, boot_id: &str) -> Vec<Handle> {
        let bytes = fs_err::read(self.places.handles()).unwrap_or_default();
        match unseal::<Handles>(&bytes) {
            Ok(handles) if handles.boot_id == boot_id => handles.vms,
            _ => Vec::new(),
        }
    }

    /// The uid that was given out last; none when that is not known.
    pub fn last_uid(&self) -> Option<u32> {
        let bytes = fs_err::read(self.places.uids()).ok()?;
        let uids: Uids = unseal(&bytes).ok()?;
        (uids.schema == UIDS_SCHEMA).then_some(uids.last)
    }

    /// Writes down which uid is given out.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn save_last_uid(&self, last: u32) -> Result<(), StorageError> {
        let uids = Uids {
            schema: UIDS_SCHEMA,
            last,
        };
        let path = self.places.uids();
        let bytes = to_json(&uids, &path)?;
        write_whole(&path, &bytes, 0o600).map_err(StorageError::io("write uids.json"))
    }
}

/// The VM ids that name something in a folder. One that is missing holds none.
fn ids_in(folder: &Path) -> Result<BTreeSet<VmId>, StorageError> {
    let entries = match fs_err::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.map_err(StorageError::io("list the VMs"))?,
    };
    let mut ids = BTreeSet::new();
    for entry in entries {
        let entry = entry.map_err(StorageError::io("list the VMs"))?;
        let name = entry.file_name();
        if let Some(id) = name.to_str().and_then(|name| name.parse().ok()) {
            ids.insert(id);
        } else {
            tracing::warn!("{} is no VM's folder", entry.path().display());
        }
    }
    Ok(ids)
}

fn to_json(value: &impl serde::Serialize, path: &Path) -> Result<Vec<u8>, StorageError> {
    seal(value).map_err(|source| StorageError::Shape {
        path: path.display().to_string(),
        source: source.into(),
    })
}

fn read_record(path: PathBuf, id: &VmId) -> Result<VmRecord, StorageError> {
    let shown = path.display().to_string();
    let damaged = |source| StorageError::Shape {
        path: shown.clone(),
        source,
    };
    let bytes = fs_err::read(path).map_err(StorageError::io(format!("read {shown}")))?;
    // the checksum comes first: a schema that was damaged is no other schema
    let value: serde_json::Value = unseal(&bytes).map_err(damaged)?;
    let schema = value.get("schema").and_then(serde_json::Value::as_u64);
    if let Some(found) = schema.and_then(|schema| u32::try_from(schema).ok())
        && found != RECORD_SCHEMA
    {
        return Err(StorageError::Schema {
            path: shown,
            found,
            known: RECORD_SCHEMA,
        });
    }
    let record: VmRecord =
        serde_json::from_value(value).map_err(|source| damaged(source.into()))?;
    if record.id == *id {
        Ok(record)
    } else {
        Err(StorageError::Foreign { path: shown })
    }
}

#[cfg(test)]
mod tests;
