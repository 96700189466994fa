//! Whether this version can read the records that lie on the host.
//!
//! Guarantees: nothing is made or changed, no socket is opened, and no path outside of the helper's own
//! folder, which only root can write, is looked at.

use banger_installer_host::StateAnswer;

use super::{Loaded, Places, StorageError, Store};

/// What this version says of the root helper's state: of the records of VMs. A damaged record is no
/// matter of the version; the other files are written anew where they cannot be read. There is no
/// migration in this version: it reads the schema that it writes.
///
/// # Errors
/// [`StorageError::Io`], when the VMs cannot be listed.
pub fn check_state(places: Places) -> Result<StateAnswer, StorageError> {
    let foreign = Store::reading(places)
        .load()?
        .into_iter()
        .filter_map(|loaded| match loaded {
            Loaded::Broken {
                error: StorageError::Schema { found, known, .. },
                ..
            } => Some((found, known)),
            _ => None,
        });
    let highest = foreign.max();
    Ok(highest.map_or(StateAnswer::Compatible, |(found, reads)| {
        StateAnswer::Cannot { found, reads }
    }))
}
