//! Where the bench keeps its things, and how several runs share them.
//!
//! Guarantees: a cached thing appears under its name only when it is whole, is built once however
//! many ask for it, and is found again by the next run.

use std::path::{Path, PathBuf};

use fs_err as fs;
use fs_err::File;
use rustix::fs::{FlockOperation, flock};

use super::{Error, Result};

/// The bench's folder: `BANGER_BENCH_DIR`, else `target/bench` of the workspace.
pub fn bench() -> PathBuf {
    std::env::var_os("BANGER_BENCH_DIR")
        .map_or_else(|| workspace().join("target/bench"), PathBuf::from)
}

/// The root of the workspace, from which this program was built.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The cached file or folder `name`; made by `build` at the path that it is given, when missing.
pub fn cached(name: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let whole = bench().join(name);
    if whole.exists() {
        return Ok(whole);
    }
    let _lock = lock(&bench().join(format!(".{name}.lock")))?;
    if whole.exists() {
        return Ok(whole);
    }
    let part = bench().join(format!(".{name}.part"));
    remove(&part)?;
    build(&part)?;
    fs::rename(&part, &whole)?;
    Ok(whole)
}

/// Takes the lock at `path`, waiting for it. It is free again when the file is dropped, or its
/// holder dies.
pub fn lock(path: &Path) -> Result<File> {
    let file = open(path)?;
    flock(&file, FlockOperation::LockExclusive)
        .map_err(|error| Error::io(format!("lock {}", path.display()))(error.into()))?;
    Ok(file)
}

/// Takes the lock at `path` if it is free.
pub fn try_lock(path: &Path) -> Result<Option<File>> {
    let file = open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(Error::io(format!("lock {}", path.display()))(error.into())),
    }
}

fn open(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?)
}

/// Removes a file or folder; nothing there is fine.
pub fn remove(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(fs::remove_dir_all(path)?),
        Ok(_) => Ok(fs::remove_file(path)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}
