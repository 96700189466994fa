use super::{Act, Detail, StepError, Undo};
use crate::effect::Effects;
use crate::model::Found;
use crate::plan::Link;
use crate::report::Report;
use std::path::{Path, PathBuf};

/// Where a plain file is kept.
fn aside(link: &Path) -> PathBuf {
    let name = link.file_name().unwrap_or_default().to_string_lossy();
    link.with_file_name(format!(".{name}.installer-old"))
}

/// The folders above a path that are not there, the outermost first.
fn missing_folders(path: &Path, effects: &Effects<'_>) -> Result<Vec<PathBuf>, StepError> {
    let mut missing = Vec::new();
    for folder in path.ancestors().skip(1) {
        if effects.files.look(folder)? != Found::Missing {
            break;
        }
        missing.insert(0, folder.to_owned());
    }
    Ok(missing)
}

impl Act for Link {
    fn prepare(&self, effects: &Effects<'_>) -> Result<Undo, StepError> {
        Ok(match effects.files.look(&self.link)? {
            before @ (Found::Missing | Found::Link(_)) => Undo::Put {
                path: self.link.clone(),
                before,
                new_folders: missing_folders(&self.link, effects)?,
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
