//! State files that a version has written in a format of its own, put back as they were.

use super::StepError;
use crate::effect::Effects;
use crate::model::{Found, SavedFile};

/// Puts back each file that the version before could not read. Gives their number.
pub(super) fn restore(files: &[SavedFile], effects: &Effects<'_>) -> Result<usize, StepError> {
    let mut restored = 0;
    for saved in files {
        // one that is gone was removed with what it told of: that is no format
        if let Found::File(now) = effects.files.look(&saved.path)?
            && saved.is_outgrown_by(now.contents.as_bytes())
        {
            effects.files.write_whole(&saved.path, &saved.image)?;
            restored += 1;
        }
    }
    Ok(restored)
}
