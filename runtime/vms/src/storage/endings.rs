//! How deleted VMs ended. Their records are gone, and an operation that is in progress must still be
//! able to tell a VM that its owner stopped and deleted from one that something killed.
//!
//! One small file per id, so that an end is found without reading any other; only the newest
//! [`MOST`] are kept.

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Places, StorageError, create_folder, write_whole};
use crate::protocol::{EndCause, VmId};

/// The schema that this code writes.
pub const ENDING_SCHEMA: u32 = 1;

/// So many ends are kept: more than VMs can be stopped and deleted while an operation, which takes
/// minutes at most, is in progress.
const MOST: usize = 4096;

/// The prune runs when there are so many more than [`MOST`], so that not every delete lists all.
const SLACK: usize = 64;

/// The contents of `endings/<id>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// [`ENDING_SCHEMA`].
    pub schema: u32,
    /// The VM.
    pub id: VmId,
    /// How it ended.
    pub cause: EndCause,
    /// When it was deleted.
    pub time: Timestamp,
    /// The boot (`/proc/sys/kernel/random/boot_id`) in which it was deleted.
    pub boot_id: String,
}

/// The ends of deleted VMs.
#[derive(Debug, Clone)]
pub struct Endings {
    folder: PathBuf,
}

impl Endings {
    /// Those kept at `places`. Nothing is made.
    pub fn at(places: &Places) -> Self {
        Self {
            folder: places.endings(),
        }
    }

    fn path(&self, id: &VmId) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    /// Writes an end down. On disk when it returns.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn keep(&self, ending: &Ending) -> Result<(), StorageError> {
        let path = self.path(&ending.id);
        let failed = |source| StorageError::Io {
            what: format!("write down how VM {} ended", ending.id),
            source,
        };
        create_folder(&self.folder, 0o700).map_err(failed)?;
        let bytes = serde_json::to_vec(ending).map_err(|source| StorageError::Shape {
            path: path.display().to_string(),
            source: source.into(),
        })?;
        write_whole(&path, &bytes, 0o600).map_err(failed)?;
        self.prune(MOST).map_err(failed)
    }

    /// How the VM with that id ended, if it was deleted and is among the newest. A file that is
    /// damaged or of a later schema says nothing.
    ///
    /// # Errors
    /// [`StorageError::Io`], when a file is there and cannot be read.
    pub fn find(&self, id: &VmId) -> Result<Option<Ending>, StorageError> {
        let path = self.path(id);
        let bytes = match fs_err::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|source| StorageError::Io {
                what: format!("read how VM {id} ended"),
                source,
            })?,
        };
        let ending: Option<Ending> = serde_json::from_slice(&bytes).ok();
        Ok(ending.filter(|ending| ending.schema == ENDING_SCHEMA && ending.id == *id))
    }

    /// Removes the oldest when there are more than `most` and [`SLACK`].
    fn prune(&self, most: usize) -> io::Result<()> {
        let entries: Vec<_> = fs_err::read_dir(&self.folder)?.collect::<Result<_, _>>()?;
        if entries.len() <= most + SLACK {
            return Ok(());
        }
        let dated = entries.iter().map(|entry| {
            let modified = entry.metadata()?.modified()?;
            Ok((modified, entry.path()))
        });
        let mut files: Vec<(SystemTime, PathBuf)> = dated.collect::<io::Result<_>>()?;
        files.sort();
        let surplus = files.len() - most;
        for (_, path) in files.into_iter().take(surplus) {
            fs_err::remove_file(path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1 as it was first written. It must parse for ever.
    const SCHEMA_1: &str = r#"{"schema":1,"id":"00112233445566aa","cause":"asked",
        "time":"2026-11-24T10:00:00Z","boot_id":"5d2b9c0e-7c1f-4f1e-9a55-0f8f3c2b1a00"}"#;

    fn endings() -> (tempfile::TempDir, Endings) {
        let folder = tempfile::tempdir().unwrap();
        let endings = Endings::at(&Places::new(folder.path(), folder.path()));
        (folder, endings)
    }

    #[test]
    fn the_end_of_a_deleted_vm_is_found_by_its_id_alone() {
        let (_folder, endings) = endings();
        let ending: Ending = serde_json::from_str(SCHEMA_1).unwrap();
        assert_eq!(endings.find(&ending.id).unwrap(), None);
        endings.keep(&ending).unwrap();
        assert_eq!(endings.find(&ending.id).unwrap().as_ref(), Some(&ending));
        let other = VmId::from_random([7; 8]);
        assert_eq!(endings.find(&other).unwrap(), None);
    }

    #[test]
    fn a_damaged_end_says_nothing() {
        let (_folder, endings) = endings();
        let ending: Ending = serde_json::from_str(SCHEMA_1).unwrap();
        endings.keep(&ending).unwrap();
        for text in [
            "",
            "{",
            r#"{"schema":9}"#,
            &SCHEMA_1.replace("66aa", "66ab"),
        ] {
            std::fs::write(endings.path(&ending.id), text).unwrap();
            assert_eq!(endings.find(&ending.id).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn the_oldest_ends_go_when_there_are_too_many() {
        let (folder, endings) = endings();
        let first: Ending = serde_json::from_str(SCHEMA_1).unwrap();
        let most = 4;
        for number in 0..=u8::try_from(most + SLACK).unwrap() {
            let id = VmId::from_random([number; 8]);
            endings
                .keep(&Ending {
                    id: id.clone(),
                    ..first.clone()
                })
                .unwrap();
            // times of files are coarse: give each its own
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number.into());
            let file = std::fs::File::options().write(true).open(endings.path(&id));
            file.unwrap().set_modified(time).unwrap();
        }
        endings.prune(most).unwrap();
        let kept = std::fs::read_dir(folder.path().join("endings")).unwrap();
        assert_eq!(kept.count(), most);
        let newest = VmId::from_random([u8::try_from(most + SLACK).unwrap(); 8]);
        assert!(endings.find(&newest).unwrap().is_some());
        assert!(endings.find(&VmId::from_random([0; 8])).unwrap().is_none());
    }
}
