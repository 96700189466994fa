//! A temporary folder in memory: a check writes thousands of times a second.

use std::path::Path;

/// An empty folder that goes when it is dropped.
pub(crate) fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let beneath = if memory.is_dir() {
        memory.into()
    } else {
        std::env::temp_dir()
    };
    tempfile::Builder::new()
        .prefix("banger-fuzz-")
        .tempdir_in(beneath)
        .unwrap()
}
