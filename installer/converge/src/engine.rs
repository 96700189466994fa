//! The only loop that runs steps or reverts them.
//!
//! Guarantees: before a step acts, what takes it back is on the disk. A step that fails, and a
//! signal between two steps, roll the whole operation back, in reverse order. An operation is
//! committed by one write, after which nothing is rolled back any more.

use std::sync::atomic::Ordering;

use banger_installer_host::Hint;

use crate::ErrorKind;
use crate::effect::{Effects, Files};
use crate::journal::{Entry, Journal, JournalError, Phase, Recorded};
use crate::model::Layout;
use crate::plan::{Operation, Plan, Planned, Step};
use crate::report::{Event, Report};
use crate::step::StepError;

/// An operation that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A step failed, and all was rolled back.
    #[error("{operation} failed; the host is as it was before")]
    RolledBack {
        /// What the operation was about.
        operation: Operation,
        /// The step that failed.
        failed_step: String,
        /// Why.
        #[source]
        cause: Box<StepError>,
    },
    /// A signal ended the operation, and all was rolled back.
    #[error("{operation} was interrupted; the host is as it was before")]
    Interrupted {
        /// What the operation was about.
        operation: Operation,
    },
    /// A step failed, and then taking it back failed, too.
    #[error("{operation} failed ({first}), and could not be rolled back")]
    RollbackFailed {
        /// What the operation was about.
        operation: Operation,
        /// What failed first, in words.
        first: String,
        /// What failed while it was rolled back.
        #[source]
        revert: Box<StepError>,
    },
    /// Whether the operation is committed could not be written down. Nothing was rolled back since:
    /// what the disk says when it is read next is what counts, and either is whole.
    #[error(
        "whether {operation} is committed could not be recorded; the next operation finishes it or rolls it back"
    )]
    CommitUnknown {
        /// What the operation was about.
        operation: Operation,
        /// Why.
        #[source]
        source: JournalError,
    },
    /// The journal could not be written, and all was rolled back.
    #[error("the record of the operation cannot be written; the host is as it was before")]
    Journal(#[source] JournalError),
}

impl RunError {
    /// What the user can type.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::RolledBack { cause, .. } => cause.hint(),
            Self::Interrupted { .. } => None,
            Self::RollbackFailed { revert, .. } => revert.hint().or_else(|| {
                Some(
                    "repair that, then run the same command again: it finishes the rollback".into(),
                )
            }),
            Self::CommitUnknown { source, .. } => source
                .hint()
                .or_else(|| Some("repair that, then run the same command again".into())),
            Self::Journal(error) => error.hint(),
        }
    }

    /// Which kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::RolledBack { cause, .. } => match cause.kind() {
                // what the user must mend counts for more than that nothing changed
                kind @ (ErrorKind::HostLacks | ErrorKind::GuestsInTheWay) => kind,
                _ => ErrorKind::RolledBack,
            },
            Self::Interrupted { .. } => ErrorKind::Interrupted,
            Self::RollbackFailed { .. } | Self::CommitUnknown { .. } => ErrorKind::Other,
            Self::Journal(error) => error.kind(),
        }
    }
}

enum Stop {
    Failed {
        step: Box<Step>,
        cause: Box<StepError>,
    },
    Interrupted,
    Journal(JournalError),
}

/// An operation that may not be taken for a committed one.
enum NotCommitted {
    /// The disk says so.
    Surely(JournalError),
    /// Nobody knows what the disk will say.
    Perhaps(JournalError),
}

/// Runs a plan to its end, or takes it back.
///
/// # Errors
/// [`RunError`]. All but [`RunError::RollbackFailed`] and [`RunError::CommitUnknown`] leave the host
/// as it was.
pub fn run(
    plan: &Plan,
    layout: &Layout,
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<(), RunError> {
    let path = layout.journal();
    let mut journal = Journal::new(plan.operation, plan.cleanup.clone(), layout.staging());
    if let Err(stop) = advance(plan, &mut journal, &path, effects, report) {
        return Err(roll_back(stop, plan, &journal, &path, effects, report));
    }
    match commit(&mut journal, &path, effects.files) {
        Ok(()) => {
            if let Err(error) = journal.finish(&path, effects.files) {
                // the operation is committed; what is left to sweep is swept by the next one
                report.event(&Event::CleanupPending {
                    why: error.to_string(),
                });
            }
            Ok(())
        }
        Err(NotCommitted::Surely(error)) => {
            let stop = Stop::Journal(error);
            Err(roll_back(stop, plan, &journal, &path, effects, report))
        }
        Err(NotCommitted::Perhaps(source)) => Err(RunError::CommitUnknown {
            operation: plan.operation,
            source,
        }),
    }
}

fn advance(
    plan: &Plan,
    journal: &mut Journal,
    path: &std::path::Path,
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> Result<(), Stop> {
    for Planned { step, why } in &plan.steps {
        if effects.interrupt.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        report.event(&Event::StepStarted { step, why });
        let failed = |cause| Stop::Failed {
            step: Box::new(step.clone()),
            cause: Box::new(cause),
        };
        let undo = step.prepare(effects).map_err(failed)?;
        journal.entries.push(Entry {
            step: Recorded::Known(step.clone()),
            undo,
            done: false,
            unknown: serde_json::Map::new(),
        });
        if let Err(error) = journal.save(path, effects.files) {
            // what was not written down was not done
            journal.entries.pop();
            return Err(Stop::Journal(error));
        }
        let detail = step.act(effects, report).map_err(failed)?;
        if let Some(entry) = journal.entries.last_mut() {
            entry.done = true;
        }
        journal.save(path, effects.files).map_err(Stop::Journal)?;
        report.event(&Event::StepDone {
            step,
            detail: &detail,
        });
    }
    if effects.interrupt.load(Ordering::Relaxed) {
        return Err(Stop::Interrupted);
    }
    Ok(())
}

/// Writes down that the operation is committed. When that fails, the name may lead to the new record
/// already, without anybody knowing whether it will after a loss of power: nothing is rolled back
/// before the disk is sure to say that this is what goes on.
fn commit(
    journal: &mut Journal,
    path: &std::path::Path,
    files: &dyn Files,
) -> Result<(), NotCommitted> {
    journal.phase = Phase::Committed;
    let Err(error) = journal.save(path, files) else {
        return Ok(());
    };
    journal.phase = Phase::Running;
    let was_not_replaced = Journal::load(path, files)
        .is_ok_and(|found| found.is_some_and(|found| found.phase == Phase::Running));
    if was_not_replaced || journal.save(path, files).is_ok() {
        return Err(NotCommitted::Surely(error));
    }
    Err(NotCommitted::Perhaps(error))
}

fn roll_back(
    stop: Stop,
    plan: &Plan,
    journal: &Journal,
    path: &std::path::Path,
    effects: &Effects<'_>,
    report: &mut dyn Report,
) -> RunError {
    let operation = plan.operation;
    let first = match &stop {
        Stop::Failed { step, cause } => {
            report.event(&Event::StepFailed {
                step,
                cause: cause.as_ref(),
            });
            cause.to_string()
        }
        Stop::Interrupted => "it was interrupted".into(),
        Stop::Journal(error) => error.to_string(),
    };
    report.event(&Event::Reverting { operation });
    let rolled_back = journal.roll_back(path, effects, report);
    // without a step there is nothing to be stuck in: what passes is swept by the next operation
    if let Err(revert) = rolled_back
        && !journal.entries.is_empty()
    {
        return RunError::RollbackFailed {
            operation,
            first,
            revert: Box::new(revert),
        };
    }
    report.event(&Event::Reverted { operation });
    match stop {
        Stop::Failed { step, cause } => RunError::RolledBack {
            operation,
            failed_step: step.to_string(),
            cause,
        },
        Stop::Interrupted => RunError::Interrupted { operation },
        Stop::Journal(error) => RunError::Journal(error),
    }
}
