//! The write-ahead record of an operation.
//!
//! Guarantees: before anything is done, what undoes it is on the disk; an operation that died at any
//! moment is rolled back whole, or, once it was committed, finished, by the next operation,
//! whichever that is. A journal that cannot be read, or that a later version wrote, stops the next
//! operation before it touches anything.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use banger_installer_host::Hint;

use crate::ErrorKind;
use crate::effect::{Effects, Files, FilesError, Untrusted, trust};
use crate::hint;
use crate::model::{FileImage, Found, UnitName};
use crate::plan::Step;
use crate::report::{Event, Report};
use crate::step::{StepError, Undo, restart_those_that_may, revert};
use banger_installer_host::{read_document, write_document};

pub use crate::plan::{Cleanup, Operation, Phase};

/// The schema that this code reads and writes.
pub const JOURNAL_SCHEMA: u32 = 1;

/// One step of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The step.
    pub step: Recorded,
    /// What takes it back.
    pub undo: Undo,
    /// Whether the act is known to be complete.
    pub done: bool,
    /// Fields of later versions, kept as they are.
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// A step as it was written down. One of a later version, which this one does not know, is kept as
/// it is: to roll an operation back, only the undoing counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Recorded {
    /// A step of this version.
    Known(Step),
    /// One of another.
    Unknown(serde_json::Value),
}

/// The record of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// [`JOURNAL_SCHEMA`].
    pub schema: u32,
    /// What the operation is about.
    pub operation: Operation,
    /// How far it is.
    pub phase: Phase,
    /// Its steps so far.
    pub entries: Vec<Entry>,
    /// What goes once it holds, in this order.
    pub cleanup: Vec<Cleanup>,
    /// A folder of nothing but passing things: it goes however the operation ends.
    pub scratch: PathBuf,
    /// Fields of later versions, kept as they are.
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// A journal that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// It is no journal.
    #[error("the journal of an interrupted operation, {}, is damaged", path.display())]
    Damaged {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A later version wrote it.
    #[error("the journal {} has schema {found}; this program reads {JOURNAL_SCHEMA}", path.display())]
    Schema {
        /// Where it is.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// It is not a file.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// Where it is.
        path: PathBuf,
    },
    /// Somebody else may have written it.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// It cannot be read or written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// An interrupted operation could not be rolled back.
    #[error("an interrupted {operation} could not be rolled back")]
    Revert {
        /// What it was.
        operation: Operation,
        /// What went wrong.
        #[source]
        source: Box<StepError>,
    },
}

impl JournalError {
    /// What the user can type.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Damaged { path, .. } | Self::NotAFile { path } => Some(hint::of_damaged(path)),
            Self::Schema { path, .. } => Some(hint::of_later(path)),
            Self::Untrusted(error) => Some(error.hint()),
            Self::Files(error) => error.hint(),
            Self::Revert { source, .. } => source
                .hint()
                .or_else(|| Some("repair that, then run the same command again".into())),
        }
    }

    /// Which kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Untrusted(error) => error.kind(),
            Self::Files(error) => error.kind(),
            Self::Revert { source, .. } => source.kind(),
            Self::Damaged { .. } | Self::Schema { .. } | Self::NotAFile { .. } => {
                ErrorKind::Damaged
            }
        }
    }
}

impl Journal {
    /// An empty record.
    pub fn new(operation: Operation, cleanup: Vec<Cleanup>, scratch: PathBuf) -> Self {
        Self {
            schema: JOURNAL_SCHEMA,
            operation,
            phase: Phase::Running,
            entries: Vec::new(),
            cleanup,
            scratch,
            unknown: serde_json::Map::new(),
        }
    }

    /// Reads a journal; none when no operation was interrupted.
    ///
    /// # Errors
    /// [`JournalError`], when it cannot be read, is damaged or from the future.
    pub fn load(path: &Path, files: &dyn Files) -> Result<Option<Self>, JournalError> {
        let image = match files.look(path)? {
            Found::Missing => return Ok(None),
            Found::File(image) => image,
            _ => return Err(JournalError::NotAFile { path: path.into() }),
        };
        trust(path, &image)?;
        let damaged = |source| JournalError::Damaged {
            path: path.into(),
            source,
        };
        let later = |found| JournalError::Schema {
            path: path.into(),
            found,
        };
        let bytes = image.contents.as_bytes();
        read_document(bytes, JOURNAL_SCHEMA..=JOURNAL_SCHEMA, damaged, later).map(Some)
    }

    /// Writes it whole and synced.
    ///
    /// # Errors
    /// [`JournalError`], when the disk does not take it.
    pub fn save(&self, path: &Path, files: &dyn Files) -> Result<(), JournalError> {
        let bytes = write_document(self).map_err(|source| JournalError::Damaged {
            path: path.into(),
            source,
        })?;
        Ok(files.write_whole(path, &FileImage::private(bytes))?)
    }

    /// What rolls the operation back, in the order of its steps.
    pub fn undos(&self) -> Vec<Undo> {
        self.entries
            .iter()
            .map(|entry| entry.undo.clone())
            .collect()
    }

    /// The same where no service runs: none can be asked how it is, and none is.
    fn undos_without_questions(&self) -> Vec<Undo> {
        let mut undos = self.undos();
        for undo in &mut undos {
            if let Undo::Restart { version, .. } = undo {
                *version = None;
            }
        }
        undos
    }

    /// Rolls an operation back, and forgets it.
    ///
    /// # Errors
    /// [`StepError`]; the journal stays, and the next operation tries again.
    pub fn roll_back(
        &self,
        path: &Path,
        effects: &Effects<'_>,
        report: &mut dyn Report,
    ) -> Result<(), StepError> {
        revert(&self.undos(), effects, report)?;
        self.forget(path, effects.files)
    }

    fn forget(&self, path: &Path, files: &dyn Files) -> Result<(), StepError> {
        files.remove(&self.scratch)?;
        Ok(files.remove(path)?)
    }

    /// Finishes a committed operation: what was set aside goes, then what the plan named, then the
    /// journal.
    ///
    /// # Errors
    /// [`JournalError::Files`]; the journal stays, and the next operation tries again.
    pub fn finish(&self, path: &Path, files: &dyn Files) -> Result<(), JournalError> {
        for entry in &self.entries {
            if let Undo::Tree {
                aside: Some(aside),
                keep_aside: false,
                ..
            } = &entry.undo
            {
                files.remove(aside)?;
            }
        }
        for cleanup in &self.cleanup {
            if cleanup.only_if_empty {
                files.remove_if_empty(&cleanup.path)?;
            } else {
                files.remove(&cleanup.path)?;
            }
        }
        files.remove(&self.scratch)?;
        Ok(files.remove(path)?)
    }
}

/// An operation that lost the power before it came to restart the services has no word on them in its
/// journal; the boot started them all the same, on what the operation had put there until then.
fn restart_what_a_boot_started(
    journal: &Journal,
    services: &[UnitName],
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<(), StepError> {
    let undos = journal.undos();
    let restarted = |undo: &Undo| matches!(undo, Undo::Restart { .. });
    let put_back = |undo: &Undo| matches!(undo, Undo::Put { .. } | Undo::Tree { .. });
    if undos.iter().any(restarted) || !undos.iter().any(put_back) {
        return Ok(());
    }
    restart_those_that_may(services, effects, report)
}

/// Rolls back, or finishes, what an interrupted operation left. Gives back what it was, if there was
/// one. Of the product's `services`, those that may run what was rolled back are restarted.
///
/// # Errors
/// [`JournalError`]; the journal stays.
pub fn recover(
    path: &Path,
    services: &[UnitName],
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<Option<(Operation, Phase)>, JournalError> {
    recover_by(path, effects, report, &|journal, report| {
        revert(&journal.undos(), effects, report)?;
        restart_what_a_boot_started(journal, services, effects, report)
    })
}

/// The same while no service runs or may start, at a boot: they start on what stands then, and are not
/// asked how they are.
///
/// # Errors
/// [`JournalError`]; the journal stays.
pub fn recover_before_services(
    path: &Path,
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<Option<(Operation, Phase)>, JournalError> {
    recover_by(path, effects, report, &|journal, report| {
        revert(&journal.undos_without_questions(), effects, report)
    })
}

type Revert<'a> = &'a dyn Fn(&Journal, &mut dyn Report) -> Result<(), StepError>;

fn recover_by(
    path: &Path,
    effects: &Effects<'_>,
    report: &mut dyn Report,
    revert: Revert<'_>,
) -> Result<Option<(Operation, Phase)>, JournalError> {
    let Some(journal) = Journal::load(path, effects.files)? else {
        return Ok(None);
    };
    let operation = journal.operation;
    report.event(&Event::Recovering {
        operation,
        phase: journal.phase,
    });
    match journal.phase {
        Phase::Running => {
            revert(&journal, report)
                .and_then(|()| journal.forget(path, effects.files))
                .map_err(|source| JournalError::Revert {
                    operation,
                    source: Box::new(source),
                })?;
        }
        Phase::Committed => journal.finish(path, effects.files)?,
    }
    report.event(&Event::Recovered {
        operation,
        phase: journal.phase,
    });
    Ok(Some((operation, journal.phase)))
}
