//! Space on the disk for the disks of VMs.
//!
//! Two bounds. The sum of the sizes of all disks of VMs, holes included, has a limit
//! ([`limits::DISKS`]): what a guest may fill later counts now. And before a copy the file system
//! must have space for the data, for all copies that are under way at the same time, and for a
//! reserve that stays the host's.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protocol::limits;

/// What stays free on the file system when a disk is copied, in bytes: records must be written.
const RESERVE: u64 = 256 * 1024 * 1024;

/// No space.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSpace {
    /// On the file system.
    #[error(
        "its files take {needed}, and {path} has {free} free, of which {reserve} stay the host's",
        needed = shown(*.needed), free = shown(*.free), reserve = shown(RESERVE)
    )]
    FileSystem {
        /// Where.
        path: String,
        /// What is to be copied, in bytes.
        needed: u64,
        /// What is free and not promised to another copy, in bytes.
        free: u64,
    },
    /// Of the sum of all disks.
    #[error(
        "its disk has {wanted}, those of all VMs have {taken}, and together they may have {most}",
        wanted = shown(*.wanted), taken = shown(*.taken), most = shown(limits::DISKS)
    )]
    Disks {
        /// The size of the new disk, holes included, in bytes.
        wanted: u64,
        /// The sizes of all others, in bytes.
        taken: u64,
    },
}

impl NoSpace {
    /// What to type.
    pub fn hint(&self) -> String {
        match self {
            Self::FileSystem { path, .. } => format!(
                "delete VMs that are not needed (`banger vm list`, `banger vm delete NAME`), or \
                 free space on the file system of {path}"
            ),
            Self::Disks { .. } => "delete VMs that are not needed (`banger vm list`, \
                                   `banger vm delete NAME`), or use a smaller image"
                .into(),
        }
    }
}

/// A size as a person reads it.
fn shown(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["GiB", "MiB", "KiB", "bytes"];
    let units = UNITS.iter().zip([1_u64 << 30, 1 << 20, 1 << 10, 1]);
    let (unit, size) = units
        .into_iter()
        .find(|(_, size)| bytes >= *size)
        .unwrap_or((&"bytes", 1));
    if size == 1 {
        return format!("{bytes} {unit}");
    }
    let tenths = u128::from(bytes) * 10 / u128::from(size);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// What is promised to VMs whose files are being copied.
#[derive(Debug, Default)]
struct Promised {
    data: u64,
    disks: u64,
}

/// The book of what is promised. One for the whole helper.
#[derive(Debug, Clone, Default)]
pub struct DiskSpace(Arc<Mutex<Promised>>);

/// What was promised to one VM; given back when it is dropped.
#[derive(Debug)]
pub struct Promise {
    space: DiskSpace,
    data: u64,
    disk: u64,
}

impl DiskSpace {
    fn lock(&self) -> MutexGuard<'_, Promised> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Promises space for `data` bytes at `path` and for a disk of `disk` bytes, where the disks that
    /// are made already have `taken` bytes.
    ///
    /// # Errors
    /// [`NoSpace`]; and nothing is promised then. A file system that tells no sizes is full.
    pub fn promise(
        &self,
        path: &Path,
        data: u64,
        disk: u64,
        taken: u64,
    ) -> Result<Promise, NoSpace> {
        let free = free_at(path);
        let mut promised = self.lock();
        check(path, data, disk, free, taken, &promised)?;
        promised.data = promised.data.saturating_add(data);
        promised.disks = promised.disks.saturating_add(disk);
        drop(promised);
        Ok(Promise {
            space: self.clone(),
            data,
            disk,
        })
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let mut promised = self.space.lock();
        promised.data = promised.data.saturating_sub(self.data);
        promised.disks = promised.disks.saturating_sub(self.disk);
    }
}

fn free_at(path: &Path) -> u64 {
    rustix::fs::statvfs(path).map_or(0, |found| found.f_bavail.saturating_mul(found.f_frsize))
}

fn check(
    path: &Path,
    data: u64,
    disk: u64,
    free: u64,
    taken: u64,
    promised: &Promised,
) -> Result<(), NoSpace> {
    let taken = taken.saturating_add(promised.disks);
    if disk > 0 && taken.saturating_add(disk) > limits::DISKS {
        return Err(NoSpace::Disks {
            wanted: disk,
            taken,
        });
    }
    let free = free.saturating_sub(promised.data);
    if data.saturating_add(RESERVE) > free {
        return Err(NoSpace::FileSystem {
            path: path.display().to_string(),
            needed: data,
            free,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn what_does_not_fit_is_refused_with_sizes_and_a_hint() {
        let nothing = Promised::default();
        let at = Path::new("/var/lib/x");
        check(at, GIB, 6 * GIB, 2 * GIB, 0, &nothing).unwrap();
        let refused = check(at, 2 * GIB, 6 * GIB, 2 * GIB, 0, &nothing).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "its files take 2.0 GiB, and /var/lib/x has 2.0 GiB free, of which 256.0 MiB stay the \
             host's"
        );
        assert!(refused.hint().contains("banger vm delete"));
    }

    #[test]
    fn holes_count_for_the_sum_of_all_disks() {
        let nothing = Promised::default();
        let at = Path::new("/");
        let most = limits::DISKS;
        check(at, 0, GIB, u64::MAX, most - GIB, &nothing).unwrap();
        let refused = check(at, 0, GIB, u64::MAX, most - GIB + 1, &nothing).unwrap_err();
        assert!(matches!(refused, NoSpace::Disks { .. }), "{refused}");
        // a VM without a disk adds nothing to a sum that is too high already
        check(at, 0, 0, u64::MAX, most + 1, &nothing).unwrap();
    }

    #[test]
    fn copies_at_the_same_time_are_not_promised_the_same_room() {
        let at = Path::new("/var/lib/x");
        let promised = Promised {
            data: GIB,
            disks: limits::DISKS - GIB,
        };
        assert!(check(at, GIB, 0, 2 * GIB, 0, &promised).is_err());
        assert!(check(at, 0, 2 * GIB, u64::MAX, 0, &promised).is_err());

        let folder = tempfile::tempdir().unwrap();
        let space = DiskSpace::default();
        let promise = space.promise(folder.path(), 1, limits::DISKS, 0).unwrap();
        assert!(space.promise(folder.path(), 1, 1, 0).is_err());
        drop(promise);
        space.promise(folder.path(), 1, 1, 0).unwrap();
    }
}
