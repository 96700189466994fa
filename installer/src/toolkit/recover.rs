//! Recovery at a boot, before the services start.
//!
//! Guarantees: nothing is done while somebody holds the lock or a service runs: then it is the watch's
//! ([`super::rescue`]), which runs beside the services; no start of a service is waited for here, since
//! each waits for this. What services are to run is started once this has ended.

use super::{Report, ToolkitError, keeper, sweep_empty_folders, sweep_staging};
use crate::effect::systemd::BeforeServices;
use crate::effect::{Effects, Lock, LockError};
use crate::journal::{Operation, Phase};
use crate::model::{Found, Product};

/// What was found and done before the services started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// No operation was interrupted.
    Nothing,
    /// Rolled back, or finished when it was committed.
    Done(Operation, Phase),
    /// The same, by the program that was kept because only it can read the journal.
    ByKeptProgram,
    /// An operation is in progress, or services run: it is left to the watch.
    Left,
}

/// Rolls back or finishes what an interrupted operation left. For a unit that is ordered before the
/// product's services (`Before=`).
///
/// # Errors
/// [`ToolkitError`]; the journal stays, and the watch tries again.
pub fn recover(
    product: &Product,
    effects: Effects<'_>,
    report: &mut dyn Report,
) -> Result<Recovered, ToolkitError> {
    let layout = &product.layout;
    if Lock::holder(&layout.lock)?.is_some() {
        return Ok(Recovered::Left);
    }
    if effects.files.look(&layout.journal())? == Found::Missing {
        return Ok(Recovered::Nothing);
    }
    for unit in product.stateful_services() {
        let facts = effects.systemd.unit(unit)?;
        if !matches!(facts.active_state.as_str(), "inactive" | "failed") {
            return Ok(Recovered::Left);
        }
    }
    let lock = match Lock::take(&layout.lock) {
        Err(LockError::Held { .. }) => return Ok(Recovered::Left),
        taken => taken?,
    };
    let systemd = BeforeServices::new(effects.systemd, product.rescue.as_ref());
    let effects = Effects {
        systemd: &systemd,
        ..effects
    };
    let done = keeper::recover_before_services(product, &effects, &lock, report)?;
    sweep_staging(product, &effects)?;
    sweep_empty_folders(product, &effects)?;
    Ok(done)
}
