//! The host's memory of releases and keys, in the toolkit's own state folder.
//!
//! Guarantees: written whole and synced before anything is done with what was seen; a record that
//! cannot be read is an error, never an empty one: forgetting would let old releases in.

use super::{RunError, Session, ToolkitError};
use crate::effect::{Effects, trust};
use crate::model::{AntiRollbackState, FileImage, Found, Product, RolledBack, SignedText, Version};
use crate::observe::ObserveError;

/// What this host has seen; nothing, when it keeps no record yet.
///
/// # Errors
/// [`ToolkitError::AntiRollbackState`], when the record cannot be read; [`ToolkitError::Files`].
pub(crate) fn read_seen(
    product: &Product,
    effects: &Effects<'_>,
) -> Result<AntiRollbackState, ToolkitError> {
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

impl Session<'_> {
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
        let mut seen = self.read_seen()?;
        seen.failed = Some(RolledBack {
            version: version.clone(),
            at: effects.clock.now(),
            why: Some(cause.to_string()),
        });
        self.write_seen(&seen)
    }

    /// What this host has seen.
    pub(crate) fn read_seen(&self) -> Result<AntiRollbackState, ToolkitError> {
        read_seen(self.planner.product, &self.planner.effects)
    }

    /// Writes down what was seen.
    ///
    /// # Errors
    /// [`ToolkitError::AntiRollbackState`], [`ToolkitError::Files`]; the record is as it was then.
    pub(crate) fn write_seen(&self, seen: &AntiRollbackState) -> Result<(), ToolkitError> {
        write(self.planner.product, &self.planner.effects, seen)
    }

    /// Writes down a list of keys that was believed. It is the latest: it was held against the one that
    /// the record had.
    pub(crate) fn write_keys(&self, keys: &SignedText) -> Result<(), ToolkitError> {
        let mut seen = self.read_seen()?;
        seen.keys = Some(keys.clone());
        self.write_seen(&seen)
    }
}
