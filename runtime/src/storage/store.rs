//! Records on disk.

use std::io;
use std::path::PathBuf;

use super::{
    HANDLES_SCHEMA, Handle, Handles, Places, RECORD_SCHEMA, VmRecord, create_folder, write_whole,
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
        /// Where it is damaged.
        #[source]
        source: serde_json::Error,
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
    /// A folder whose record cannot be read.
    Broken {
        /// The folder's name, which is the VM's id.
        id: VmId,
        /// Why.
        error: StorageError,
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

    /// Every VM that has a folder. A broken record is an entry, not an end.
    ///
    /// # Errors
    /// [`StorageError::Io`], when the folder of all VMs cannot be listed: then nothing is known.
    pub fn load(&self) -> Result<Vec<Loaded>, StorageError> {
        let folder = self.places.vms();
        let entries = match fs_err::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(StorageError::io("list the VMs"))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StorageError::io("list the VMs"))?;
            let Some(id) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                tracing::warn!("{} is no VM's folder", entry.path().display());
                continue;
            };
            if let Some(loaded) = self.load_one(id) {
                found.push(loaded);
            }
        }
        Ok(found)
    }

    fn load_one(&self, id: VmId) -> Option<Loaded> {
        let path = self.places.record(&id);
        match read_record(path, &id) {
            Ok(record) => Some(Loaded::Good(Box::new(record))),
            // a start that was cut off before its record was written had done nothing yet
            Err(StorageError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                None
            }
            Err(error) => Some(Loaded::Broken { id, error }),
        }
    }

    /// Writes a record, and the VM's folder when it is new. On disk when it returns.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn save(&self, record: &VmRecord) -> Result<(), StorageError> {
        let what = || format!("write the record of VM {}", record.name);
        create_folder(&self.places.vm(&record.id), 0o700).map_err(StorageError::io(what()))?;
        let path = self.places.record(&record.id);
        let bytes = to_json(record, &path)?;
        write_whole(&path, &bytes, 0o600).map_err(StorageError::io(what()))
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

    /// Writes `handles.json` anew.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn publish(&self, boot_id: &str, vms: &[VmSummary]) -> Result<(), StorageError> {
        let handles = Handles {
            schema: HANDLES_SCHEMA,
            boot_id: boot_id.into(),
            written_by: std::process::id(),
            vms: vms
                .iter()
                .map(|vm| Handle {
                    vm: vm.clone(),
                    api_socket: vm
                        .id
                        .as_ref()
                        .filter(|_| vm.pid.is_some())
                        .map(|id| self.places.api_link(id).display().to_string()),
                })
                .collect(),
        };
        let path = self.places.handles();
        let bytes = to_json(&handles, &path)?;
        write_whole(&path, &bytes, 0o644).map_err(StorageError::io("write handles.json"))
    }
}

fn to_json(value: &impl serde::Serialize, path: &std::path::Path) -> Result<Vec<u8>, StorageError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|source| StorageError::Shape {
        path: path.display().to_string(),
        source,
    })?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn read_record(path: PathBuf, id: &VmId) -> Result<VmRecord, StorageError> {
    #[derive(serde::Deserialize)]
    struct Schema {
        schema: u32,
    }
    let shown = path.display().to_string();
    let damaged = |source| StorageError::Shape {
        path: shown.clone(),
        source,
    };
    let bytes = fs_err::read(path).map_err(StorageError::io(format!("read {shown}")))?;
    let Schema { schema } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if schema != RECORD_SCHEMA {
        return Err(StorageError::Schema {
            path: shown,
            found: schema,
            known: RECORD_SCHEMA,
        });
    }
    let record: VmRecord = serde_json::from_slice(&bytes).map_err(damaged)?;
    if record.id == *id {
        Ok(record)
    } else {
        Err(StorageError::Foreign { path: shown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::VmState;

    /// Version 1 of the record as it was first written. It must parse for ever.
    const SCHEMA_1: &str = r#"{"schema":1,"id":"00112233445566aa","name":"web","cpus":2,
        "memory_mib":512,"uid":600000,"state":"running","reason":null,
        "boot_id":"5d2b9c0e-7c1f-4f1e-9a55-0f8f3c2b1a00","started":"2026-11-20T10:00:00Z",
        "process":{"pid":4121,"start_time":99,"pidfd_inode":7,
        "control_group":"/banger.slice/banger-vm-00112233445566aa.scope",
        "executable":[1,2]},"scope":"banger-vm-00112233445566aa.scope"}"#;

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
    fn handles_name_the_socket_of_what_runs_and_of_nothing_else() {
        let (folder, store) = store();
        let running: VmRecord = serde_json::from_str(SCHEMA_1).unwrap();
        let stopped = VmRecord {
            state: VmState::Stopped,
            ..running.clone()
        };
        store
            .publish("boot", &[running.summary(), stopped.summary()])
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
}
