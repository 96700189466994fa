//! The program that is kept beside the journal: recovery by one that can read it.
//!
//! Guarantees: while an operation is in progress that another version's program may have to roll back,
//! the program that began it lies beside the versions; a journal that this program cannot read is
//! recovered by that one, under the same lock. One that is missing, not root's alone, crashes or says
//! anything else than what is expected changes nothing, and the journal stays.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use super::handover::{PATIENCE, call, check_recoverer};
use super::{HANDOVER, Handed, Recovered, Report, ToolkitError};
use crate::ErrorKind;
use crate::effect::{Effects, Files, Lock, Untrusted, trust};
use crate::journal::{self, JournalError};
use crate::model::{Found, Hint, Product, Version};

/// Why the program that can read a journal did not recover it.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// It is not there.
    #[error("there is no {}, the program that can read it", path.display())]
    Missing {
        /// Where it had to be.
        path: PathBuf,
    },
    /// A link, a folder or a device stands there.
    #[error("{} is not a file, and so not the program that can read it", path.display())]
    NotAFile {
        /// Where it had to be.
        path: PathBuf,
    },
    /// Somebody else may have written it.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// It was not called, or did not say that it is that program.
    #[error("the program that can read it did not recover it")]
    Call(#[source] Box<ToolkitError>),
    /// It was let go on, and failed. What it had to say, it has said.
    #[error("{}, the program that can read it, ended with {status}", path.display())]
    Failed {
        /// The program.
        path: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
    /// It says that it is done, and the journal is still there.
    #[error("{} recovered nothing", path.display())]
    Left {
        /// The program.
        path: PathBuf,
    },
}

impl KeeperError {
    /// What the user can type; none where the journal's own hint is the one.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Missing { .. } | Self::NotAFile { .. } => None,
            // it cannot read it either
            Self::Failed { status, .. }
                if status.code() == Some(ErrorKind::Damaged.exit_code().into()) =>
            {
                None
            }
            Self::Untrusted(error) => Some(error.hint()),
            Self::Call(_) => Some("nothing was changed; run the same command again".into()),
            Self::Failed { .. } | Self::Left { .. } => {
                Some("repair what it says, then run the same command again".into())
            }
        }
    }
}

/// Rolls back, or finishes, what an interrupted operation left.
///
/// # Errors
/// [`ToolkitError`]; the journal stays.
pub(super) fn recover(
    product: &Product,
    effects: &Effects<'_>,
    lock: &Lock,
    report: &mut dyn Report,
) -> Result<(), ToolkitError> {
    let services: Vec<_> = product.stateful_services().cloned().collect();
    let path = product.layout.journal();
    match unreadable(journal::recover(&path, &services, effects, report))? {
        Ok(_) => {}
        Err(journal) => by_kept_program(product, effects, lock, journal, false, PATIENCE)?,
    }
    forget(product, effects)
}

/// The same at a boot, while no service runs and none may be waited for.
///
/// # Errors
/// [`ToolkitError`]; the journal stays.
pub(super) fn recover_before_services(
    product: &Product,
    effects: &Effects<'_>,
    lock: &Lock,
    report: &mut dyn Report,
) -> Result<Recovered, ToolkitError> {
    let path = product.layout.journal();
    let done = match unreadable(journal::recover_before_services(&path, effects, report))? {
        Ok(None) => Recovered::Nothing,
        Ok(Some((operation, phase))) => Recovered::Done(operation, phase),
        Err(journal) => {
            by_kept_program(product, effects, lock, journal, true, PATIENCE)?;
            Recovered::ByKeptProgram
        }
    };
    forget(product, effects)?;
    Ok(done)
}

/// Tells a journal that another program may be able to read from every other failure.
fn unreadable<T>(
    recovered: Result<T, JournalError>,
) -> Result<Result<T, JournalError>, ToolkitError> {
    match recovered {
        Ok(done) => Ok(Ok(done)),
        Err(error @ (JournalError::Schema { .. } | JournalError::Damaged { .. })) => Ok(Err(error)),
        Err(error) => Err(error.into()),
    }
}

/// Has the kept program recover. It says within `patience` that it is of this product.
pub(super) fn by_kept_program(
    product: &Product,
    effects: &Effects<'_>,
    lock: &Lock,
    journal: JournalError,
    before_services: bool,
    patience: Duration,
) -> Result<(), ToolkitError> {
    let path = product.layout.keeper();
    if product.delegate.is_none() {
        return Err(journal.into());
    }
    let found = effects.files.look(&path)?;
    // nobody else can read one that is merely damaged
    if found == Found::Missing && matches!(journal, JournalError::Damaged { .. }) {
        return Err(journal.into());
    }
    let handed = Handed::Recover {
        handover: HANDOVER,
        before_services,
    };
    let recovered = usable(&path, &found).and_then(|()| {
        let status = call(
            product,
            effects,
            lock,
            &path,
            &handed,
            patience,
            &mut |said| check_recoverer(said, &product.name),
        );
        let status = status.map_err(|error| KeeperError::Call(Box::new(error)))?;
        if !status.success() {
            let path = path.clone();
            return Err(KeeperError::Failed { path, status });
        }
        Ok(())
    });
    let recovered = match recovered {
        Ok(()) if effects.files.look(&product.layout.journal())? != Found::Missing => {
            Err(KeeperError::Left { path })
        }
        other => other,
    };
    recovered.map_err(|keeper| ToolkitError::Unrecovered {
        journal: Box::new(journal),
        keeper: Box::new(keeper),
    })
}

/// Whether what stands there is a program that only root can have put there.
fn usable(path: &Path, found: &Found) -> Result<(), KeeperError> {
    match found {
        Found::File(image) => Ok(trust(path, image)?),
        Found::Missing => Err(KeeperError::Missing { path: path.into() }),
        _ => Err(KeeperError::NotAFile { path: path.into() }),
    }
}

/// Whether an operation that leads from one version to another needs the program that carries it out to
/// be kept. Not where nothing is installed, so that nobody else could recover it; and not where it is
/// the installed version's own, and stays so.
pub(super) fn is_needed(
    product: &Product,
    program: &Path,
    from: Option<&Version>,
    to: Option<&Version>,
) -> bool {
    product.delegate.is_some()
        && from.is_some_and(|from| {
            let stays = to.is_none_or(|to| to == from);
            !(stays && program.starts_with(product.layout.version(from)))
        })
}

/// Keeps a program that can read the journal of what it is about to do, as long as there is one. What
/// lies elsewhere than a version does is copied: it may be another user's.
pub(super) fn keep(
    product: &Product,
    files: &dyn Files,
    program: &Path,
) -> Result<(), ToolkitError> {
    let keeper = product.layout.keeper();
    if program.starts_with(&product.layout.versions) {
        files.remove(&keeper)?;
        return Ok(files.hard_link(program, &keeper)?);
    }
    Ok(files.copy_tree(program, &keeper)?)
}

/// The program that was kept goes when there is no journal left for it.
pub(super) fn forget(product: &Product, effects: &Effects<'_>) -> Result<(), ToolkitError> {
    let keeper = product.layout.keeper();
    let files = effects.files;
    if files.look(&keeper)? != Found::Missing
        && files.look(&product.layout.journal())? == Found::Missing
    {
        files.remove(&keeper)?;
    }
    Ok(())
}
