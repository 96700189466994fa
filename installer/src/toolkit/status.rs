//! What is installed, what runs, what is stale: a look that changes nothing.

use serde::Serialize;

use super::ToolkitError;
use super::prepare::{all_findings, installed_product, render_units};
use crate::effect::{Effects, Lock, meanwhile};
use crate::journal::{Journal, JournalError};
use crate::model::{Product, ProtectedProcess, Receipt, UnitFacts, UnitName, Version};
use crate::observe::{Freshness, observe, read_receipt};
use crate::plan::{Finding, Operation};
use crate::unit;

/// The state of the product on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The receipt; none when nothing is installed.
    pub receipt: Option<Receipt>,
    /// The versions that lie on the host.
    pub versions: Vec<Version>,
    /// The units.
    pub units: Vec<UnitStatus>,
    /// What is not as it was installed.
    pub findings: Vec<Finding>,
    /// The protected processes.
    pub protected: Vec<ProtectedProcess>,
    /// An operation that was interrupted and will be rolled back by the next one.
    pub pending: Option<Operation>,
    /// The pid of the operation in progress.
    pub in_progress: Option<u32>,
    /// The version on probation, if one is: the one before it comes back by itself if it does not stay
    /// well.
    pub probation: Option<Version>,
    /// Why the record of an interrupted operation cannot be used, and what to type; the next
    /// operation would refuse to start for it.
    pub unusable_journal: Option<String>,
}

/// A unit's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitStatus {
    /// Which.
    pub unit: UnitName,
    /// What systemd holds of it.
    pub facts: UnitFacts,
    /// The version that it answered with; none when it does not run or did not answer.
    pub answers: Option<Version>,
}

/// Looks at the product on this host, without the lock and without a Reload. `values` fills the
/// units' templates, so that an edited unit can be told; it is asked once the receipt is known.
///
/// # Errors
/// [`ToolkitError`], when the host cannot be read.
pub fn status(
    product: &Product,
    effects: &Effects<'_>,
    values: &dyn Fn(&Receipt) -> Option<unit::Values>,
) -> Result<Status, ToolkitError> {
    let lock = &product.layout.lock;
    // only root can look into the toolkit's folder, and the kernel takes its time to show its locks
    let holder = || Lock::holder(lock).ok().flatten();
    let receipt = read_receipt(product, effects)?;
    let product = &installed_product(product, receipt.as_ref(), effects)?;
    let (mut in_progress, state) =
        meanwhile(holder, || observe(product, effects, Freshness::AsLoaded));
    let state = state?;
    let installed = state.receipt.as_ref().and_then(|receipt| {
        let folder = product.layout.version(&receipt.version);
        render_units(product, effects, &folder, &values(receipt)?).ok()
    });
    let findings = all_findings(product, &state, installed.as_deref());
    let (mut pending, mut unusable_journal) = left_by_a_run(product, effects);
    if pending.is_some() && in_progress.is_none() {
        // an operation may have begun, or ended, since the look at the lock
        in_progress = holder();
        (pending, unusable_journal) = left_by_a_run(product, effects);
    }
    Ok(Status {
        receipt: state.receipt,
        versions: state.versions,
        units: state
            .units
            .into_iter()
            .map(|unit| UnitStatus {
                answers: state.answers.get(&unit.spec.name).cloned(),
                unit: unit.spec.name,
                facts: unit.facts,
            })
            .collect(),
        findings,
        protected: state.protected,
        pending: pending.filter(|_| in_progress.is_none()),
        in_progress,
        probation: state.probation.map(|probation| probation.version),
        unusable_journal,
    })
}

/// What an operation is, or was, about that has left its journal; or why that cannot be told.
fn left_by_a_run(product: &Product, effects: &Effects<'_>) -> (Option<Operation>, Option<String>) {
    match Journal::load(&product.layout.journal(), effects.files) {
        Ok(journal) => (journal.map(|journal| journal.operation), None),
        Err(JournalError::Files(_)) => (None, None),
        Err(error) => {
            let hint = error
                .hint()
                .map_or_else(String::new, |hint| product.hint_text.of(&hint));
            (None, Some(format!("{error}: {hint}")))
        }
    }
}
