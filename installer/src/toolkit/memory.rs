//! The host's memory of releases and keys, in the toolkit's own state folder.
//!
//! Guarantees: written whole and synced before anything is done with what was seen; a record that
//! cannot be read is an error, never an empty one: forgetting would let old releases in.

use super::{Planner, RunError, Toolkit, ToolkitError};
use crate::effect::{Effects, Lock, trust};
use crate::model::{
    AntiRollbackState, FileImage, Found, KeyList, Product, RolledBack, SignedText, Version,
};
use crate::observe::ObserveError;

/// What this host has seen; nothing, when it keeps no record yet.
///
/// # Errors
/// [`ToolkitError::AntiRollbackState`], when the record cannot be read; [`ToolkitError::Files`].
pub fn seen(product: &Product, effects: &Effects<'_>) -> Result<AntiRollbackState, ToolkitError> {
    let path = product.layout.seen();
    match effects.files.look(&path)? {
        Found::Missing => Ok(AntiRollbackState::default()),
        Found::File(image) => {
            trust(&path, &image).map_err(ObserveError::from)?;
            AntiRollbackState::from_json(image.contents.as_bytes())
                .map_err(|source| ToolkitError::AntiRollbackState { path, source })
        }
        _ => Err(ToolkitError::NoRecord { path }),
    }
}

/// Writes down a list of keys that was believed, unless a later one is there by now. For a mere look,
/// which holds no lock: it is taken for as long as the writing takes.
///
/// # Errors
/// [`ToolkitError::Lock`] when an operation is in progress; [`ToolkitError::AntiRollbackState`],
/// [`ToolkitError::Files`].
pub fn remember_keys(
    product: &Product,
    effects: &Effects<'_>,
    keys: &SignedText,
) -> Result<(), ToolkitError> {
    let _lock = Lock::take(&product.layout.lock)?;
    write_keys(product, effects, keys)
}

fn write_keys(
    product: &Product,
    effects: &Effects<'_>,
    keys: &SignedText,
) -> Result<(), ToolkitError> {
    let sequence = |keys: &SignedText| {
        let list = KeyList::from_json(keys.text.as_bytes());
        list.map_or(0, |list| list.sequence)
    };
    let mut seen = seen(product, effects)?;
    if seen.keys.as_ref().map_or(0, sequence) > sequence(keys) {
        return Ok(());
    }
    seen.keys = Some(keys.clone());
    write(product, effects, &seen)
}

fn write(
    product: &Product,
    effects: &Effects<'_>,
    seen: &AntiRollbackState,
) -> Result<(), ToolkitError> {
    let path = product.layout.seen();
    let bytes = seen
        .to_json()
        .map_err(|source| ToolkitError::AntiRollbackState {
            path: path.clone(),
            source,
        })?;
    Ok(effects
        .files
        .write_whole(&path, &FileImage::private(bytes))?)
}

impl Planner<'_> {
    /// Writes down a list of keys that was believed: that much even a dry run does.
    ///
    /// # Errors
    /// [`ToolkitError::AntiRollbackState`], [`ToolkitError::Files`]; the record is as it was then.
    pub fn remember_keys(&self, keys: &SignedText) -> Result<(), ToolkitError> {
        write_keys(self.product, &self.effects, keys)
    }
}

impl Toolkit<'_> {
    /// Writes down a version that failed, so that no timer tries it day after day.
    pub(super) fn remember_failure(
        &self,
        version: &Version,
        error: &ToolkitError,
    ) -> Result<(), ToolkitError> {
        let ToolkitError::Run(RunError::RolledBack { cause, .. }) = error else {
            return Ok(());
        };
        let rescue = self.planner.product.rescue.as_ref();
        if !cause.blames_release(rescue) {
            return Ok(());
        }
        let effects = &self.planner.effects;
        let mut seen = seen(self.planner.product, effects)?;
        seen.failed = Some(RolledBack {
            version: version.clone(),
            at: effects.clock.now(),
            why: Some(cause.to_string()),
        });
        self.remember(&seen)
    }

    /// Writes down what was seen.
    ///
    /// # Errors
    /// [`ToolkitError::AntiRollbackState`], [`ToolkitError::Files`]; the record is as it was then.
    pub fn remember(&self, seen: &AntiRollbackState) -> Result<(), ToolkitError> {
        write(self.planner.product, &self.planner.effects, seen)
    }
}
