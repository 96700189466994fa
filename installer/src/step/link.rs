use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Act, Detail, StepError, Undo};
use crate::effect::{Effects, Found};
use crate::toolkit::Report;

/// Points a link elsewhere, in one rename: `current` at a version, or a program's name through
/// `current`. A plain program that stood there (as releases before the toolkit installed it) is
/// kept beside it until the run holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The link.
    pub link: PathBuf,
    /// What it names.
    pub target: PathBuf,
}

impl fmt::Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "point {} at {}",
            self.link.display(),
            self.target.display()
        )
    }
}

/// Where a plain file is kept.
fn aside(link: &Path) -> PathBuf {
    let name = link.file_name().unwrap_or_default().to_string_lossy();
    link.with_file_name(format!(".{name}.banger-old"))
}

impl Act for Link {
    fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(match effects.files.look(&self.link)? {
            before @ (Found::Missing | Found::Link(_)) => Undo::Put {
                path: self.link.clone(),
                before,
            },
            Found::File(_) => Undo::Tree {
                path: self.link.clone(),
                aside: Some(aside(&self.link)),
                keep_aside: false,
            },
            Found::Folder | Found::Other => {
                return Err(StepError::InTheWay {
                    path: self.link.clone(),
                });
            }
        })
    }

    fn act(&self, effects: &Effects<'_>, _report: &mut dyn Report) -> Result<Detail, StepError> {
        if let Found::File(_) = effects.files.look(&self.link)? {
            let aside = aside(&self.link);
            effects.files.remove(&aside)?;
            effects.files.hard_link(&self.link, &aside)?;
        }
        effects.files.replace_link(&self.link, &self.target)?;
        Ok(String::new())
    }
}
