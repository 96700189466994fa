//! What one version of the command line tells another.

use serde::{Deserialize, Serialize};

use super::arguments::UpdateOptions;

/// What `banger update` was told beyond the release, as one version hands it to another: a field that
/// one of them does not know is left aside.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct HandedOptions {
    pub(super) yes: bool,
    pub(super) dry_run: bool,
    pub(super) json: bool,
}

impl HandedOptions {
    pub(super) const fn of(options: &UpdateOptions) -> Self {
        Self {
            yes: options.yes,
            dry_run: options.dry_run,
            json: options.json,
        }
    }
}
