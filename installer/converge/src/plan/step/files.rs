//! Steps that change files.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::{InstalledSet, Probation, Receipt, SavedFile, UnitName};

/// Points a link elsewhere, in one rename: `current` at a version, or a program's name through
/// `current`. A plain program that stood there (as releases before the toolkit installed it) is
/// kept beside it until the operation is committed.
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
            "switch {} to {}",
            self.link.display(),
            self.target.display()
        )
    }
}

/// Removes a small file or a link: a unit file, a drop-in, a program's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveFile {
    /// The file.
    pub path: PathBuf,
}

impl fmt::Display for RemoveFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "remove {}", self.path.display())
    }
}

/// Moves something out of the way, on its own file system, so that it can come back in one rename.
/// It is deleted when the operation is committed, unless it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackUp {
    /// What.
    pub path: PathBuf,
    /// Where it goes.
    pub aside: PathBuf,
    /// Whether it stays there: for what people made.
    pub keep: bool,
}

impl fmt::Display for BackUp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keep {
            write!(
                formatter,
                "move {} to {}",
                self.path.display(),
                self.aside.display()
            )
        } else {
            write!(formatter, "remove {}", self.path.display())
        }
    }
}

/// Publishes the folder of a version: in one rename, so that it is there whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRelease {
    /// The unpacked release.
    pub from: PathBuf,
    /// Where it is copied to first; none when `from` lies on the right file system and may go.
    pub copy_by: Option<PathBuf>,
    /// The version's folder.
    pub to: PathBuf,
    /// Where another folder of that version goes, when there is one.
    pub aside: Option<PathBuf>,
}

impl fmt::Display for StageRelease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "install {}", self.to.display())
    }
}

/// Writes the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteReceipt {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub receipt: Box<Receipt>,
}

impl fmt::Display for WriteReceipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "write the receipt {}", self.path.display())
    }
}

/// Writes down what a version put on the host, for a rollback to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteSet {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub set: Box<InstalledSet>,
}

impl fmt::Display for WriteSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "write {}", self.path.display())
    }
}

/// Writes a unit file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteUnit {
    /// The unit.
    pub unit: UnitName,
    /// Its file.
    pub path: PathBuf,
    /// The text.
    pub text: String,
}

impl fmt::Display for WriteUnit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "write {}", self.path.display())
    }
}

/// Puts a version on probation: writes down which one comes back if it fails its health checks, with
/// the product's state as that one wrote it.
///
/// When it is rolled back, state that has a later format by then is put back, too: the version before
/// could not read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginProbation {
    /// Where.
    pub path: PathBuf,
    /// What. On disk under the name that it was first written with.
    #[serde(rename = "trial")]
    pub probation: Box<Probation>,
}

impl fmt::Display for BeginProbation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "put {} on probation, with {} to roll back to",
            self.probation.version, self.probation.previous
        )
    }
}

/// Puts back state that the version which is left has raised to a format that the one before cannot
/// read. What that one can read stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreState {
    /// The files as they were.
    pub files: Vec<SavedFile>,
}

impl fmt::Display for RestoreState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "restore those of {} state files that have a later format",
            self.files.len()
        )
    }
}
