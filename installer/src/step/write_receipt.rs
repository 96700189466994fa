use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo};
use crate::effect::{Effects, FileImage};
use crate::model::Receipt;
use crate::toolkit::Report;

/// Writes the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteReceipt {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub receipt: Receipt,
}

impl fmt::Display for WriteReceipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "write the receipt {}", self.path.display())
    }
}

impl Act for WriteReceipt {
    fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(Undo::Put {
            path: self.path.clone(),
            before: effects.files.look(&self.path)?,
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        let image = FileImage::public(self.receipt.to_json()?);
        effects.files.write_whole(&self.path, &image)?;
        Ok(String::new())
    }
}
