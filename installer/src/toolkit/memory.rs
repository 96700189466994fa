//! The host's memory of releases and keys, in the toolkit's own state folder.
//!
//! Guarantees: written whole and synced before anything is done with what was seen; a record that
//! cannot be read is an error, never an empty one: forgetting would let old releases in.

use super::{RunError, Toolkit, ToolkitError};
use crate::effect::Effects;
use crate::model::{FileImage, Found, Product, RolledBack, Seen, Version};

/// What this host has seen; nothing, when it keeps no record yet.
///
/// # Errors
/// [`ToolkitError::Seen`], when the record cannot be read; [`ToolkitError::Files`].
pub fn seen(product: &Product, effects: &Effects<'_>) -> Result<Seen, ToolkitError> {
    let path = product.layout.seen();
    match effects.files.look(&path)? {
        Found::Missing => Ok(Seen::default()),
        Found::File(image) => Seen::from_json(image.contents.as_bytes())
            .map_err(|source| ToolkitError::Seen { path, source }),
        _ => Err(ToolkitError::NoRecord { path }),
    }
}

impl Toolkit<'_> {
    /// Writes down a version that did not hold, so that no timer tries it day after day.
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
    /// [`ToolkitError::Seen`], [`ToolkitError::Files`]; the record is as it was then.
    pub fn remember(&self, seen: &Seen) -> Result<(), ToolkitError> {
        let path = self.planner.product.layout.seen();
        let bytes = seen.to_json().map_err(|source| ToolkitError::Seen {
            path: path.clone(),
            source,
        })?;
        let image = FileImage::private(bytes);
        Ok(self.planner.effects.files.write_whole(&path, &image)?)
    }
}
