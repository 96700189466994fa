//! The toolkit's entry point: install, update, roll back, restart, uninstall and status of a product.
//!
//! Guarantees: one operation at a time (the lock); what an interrupted operation left is rolled back
//! before anything else; the host is read before it is changed; and an operation either holds whole
//! or leaves the host as it was. Nothing here prints: what happens goes to a [`Report`].

mod error;
mod handover;
mod host_side;
mod keeper;
mod memory;
mod planner;
mod prepare;
mod prepared;
mod recover;
mod release_info;
mod request;
mod rescue;
mod state;
mod status;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::effect::{Effects, Lock};
use crate::engine;
use crate::model::{End, Found, Product, ProtectedProcess, Receipt, Version};
use crate::observe::Freshness;
use crate::plan::{Finding, Plan, Step};

pub use crate::engine::RunError;
pub use crate::report::{Event, Report, Silent};
pub use error::ToolkitError;
pub use handover::{HANDOVER, Handed, HandedUpdate, Taken, take_over};
pub use host_side::HostSide;
pub use keeper::KeeperError;
pub(crate) use memory::read_seen;
pub use planner::{Planner, Preview};
pub use prepared::{Prepared, Request};
pub use recover::{Recovered, recover};
pub use release_info::ReleaseInfo;
pub use request::{
    InstallRequest, ReleaseFolder, RestartRequest, RollbackRequest, UninstallRequest, UpdateRequest,
};
pub use rescue::{RescueLimits, Rescued, rescue};
pub use status::{Status, UnitStatus, status};

/// How an operation ended that held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The host was as it should be; nothing was changed.
    Unchanged,
    /// All steps hold.
    Changed(Box<Summary>),
}

/// What an operation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The version before, if there was one.
    pub from: Option<Version>,
    /// The version that runs, if one does.
    pub version: Option<Version>,
    /// What was not as it had been installed.
    pub findings: Vec<Finding>,
    /// Who ran before, and runs still.
    pub protected: Vec<ProtectedProcess>,
    /// Who ran before, and was ended as the user asked for, or by itself.
    pub ended: Vec<Ended>,
    /// What was done.
    pub plan: Plan,
}

/// A protected process that ended while something else was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Who.
    pub protected: ProtectedProcess,
    /// How.
    pub end: End,
}

/// One run of the toolkit: it holds the lock.
pub struct Session<'a> {
    planner: Planner<'a>,
    report: &'a mut dyn Report,
    /// This program's own file, to be kept where another one may not be able to read its journal.
    program: Option<PathBuf>,
}

impl<'a> Session<'a> {
    /// Takes the lock, and rolls back or finishes what an interrupted operation left.
    ///
    /// # Errors
    /// [`ToolkitError::Lock`] at once when another operation is in progress; [`ToolkitError::Journal`].
    pub fn begin(
        product: &'a Product,
        effects: Effects<'a>,
        report: &'a mut dyn Report,
    ) -> Result<Self, ToolkitError> {
        let lock = Lock::take(&product.layout.lock)?;
        keeper::recover(product, &effects, &lock, report)?;
        sweep_staging(product, &effects)?;
        sweep_empty_folders(product, &effects)?;
        Ok(Self {
            planner: Planner::new(product, effects, Freshness::Reload, lock),
            report,
            program: effects.programs.own(),
        })
    }

    /// What an operation would do: the same plans that the methods here carry out.
    pub const fn planner(&self) -> &Planner<'a> {
        &self.planner
    }

    /// The receipt of what is installed.
    ///
    /// # Errors
    /// [`ToolkitError::NotInstalled`], or a receipt that cannot be read.
    pub fn receipt(&self) -> Result<Receipt, ToolkitError> {
        self.planner.receipt()
    }

    /// Installs a release, or mends what is installed. On a host that is as it should be nothing
    /// is changed.
    ///
    /// # Errors
    /// [`ToolkitError`]; the host is as it was then.
    pub fn install(&mut self, request: &InstallRequest) -> Result<Outcome, ToolkitError> {
        self.run(Request::Install(request.clone()))
    }

    /// Moves to another version. One that fails is remembered.
    ///
    /// # Errors
    /// [`ToolkitError`]; the host is as it was then.
    pub fn update(&mut self, request: &UpdateRequest) -> Result<Outcome, ToolkitError> {
        self.run(Request::Update(request.clone()))
    }

    /// Moves back to the version before, which every update keeps.
    ///
    /// # Errors
    /// [`ToolkitError::NothingBefore`]; [`ToolkitError`]. The host is as it was then.
    pub fn rollback(&mut self, request: &RollbackRequest) -> Result<Outcome, ToolkitError> {
        self.run(Request::Rollback(request.clone()))
    }

    /// Restarts the services, after mending what would hurt protected processes.
    ///
    /// # Errors
    /// [`ToolkitError`]; the host is as it was then.
    pub fn restart(&mut self, request: &RestartRequest) -> Result<Outcome, ToolkitError> {
        self.run(Request::Restart(request.clone()))
    }

    /// Removes the product. The operation is over with it: the lock's own folder goes, too.
    ///
    /// # Errors
    /// [`ToolkitError`]; the host is as it was then.
    pub fn uninstall(mut self, request: UninstallRequest) -> Result<Outcome, ToolkitError> {
        self.run(Request::Uninstall(request))
    }

    fn run(&mut self, request: Request) -> Result<Outcome, ToolkitError> {
        self.planner.prepare(request)?.execute(self)
    }

    fn carry_out(&mut self, preview: Preview) -> Result<Outcome, ToolkitError> {
        let Planner {
            product, effects, ..
        } = &self.planner;
        let Preview {
            plan,
            state,
            findings,
            version,
        } = preview;
        for finding in &findings {
            self.report.event(&Event::Finding { finding });
        }
        if plan.is_empty() {
            // a release may have been fetched for nothing
            sweep_staging(product, effects)?;
            return Ok(Outcome::Unchanged);
        }
        let from = state.receipt.as_ref().map(|receipt| &receipt.version);
        let program = self.program.as_ref();
        let program = program.filter(|one| keeper::is_needed(product, one, from, version.as_ref()));
        if let Some(program) = program {
            keeper::keep(product, effects.files, program)?;
        }
        let ran = engine::run(&plan, &product.layout, effects, self.report);
        if program.is_some() {
            // the next operation sweeps it, too
            let _ = keeper::forget(product, effects);
        }
        if let Err(error) = ran {
            if !matches!(
                error,
                RunError::RollbackFailed { .. } | RunError::CommitUnknown { .. }
            ) {
                // the first error is the one to tell, and the next operation sweeps again
                let _ = sweep_empty_folders(product, effects);
            }
            return Err(error.into());
        }
        let (protected, gone): (Vec<_>, Vec<_>) = state
            .protected
            .into_iter()
            .partition(|one| effects.lives(one.identity));
        let ended = gone.into_iter().map(|protected| Ended {
            end: end_of_stopped(&plan, &protected)
                .unwrap_or_else(|| crate::step::end_of(&protected, effects)),
            protected,
        });
        let ended = ended.collect();
        Ok(Outcome::Changed(Box::new(Summary {
            from: state.receipt.map(|receipt| receipt.version),
            version,
            findings,
            protected,
            ended,
            plan,
        })))
    }
}

/// How the operation itself ended somebody, where the user told it to.
fn end_of_stopped(plan: &Plan, protected: &ProtectedProcess) -> Option<End> {
    let stopped = plan.steps.iter().any(|planned| match &planned.step {
        Step::StopGuests(step) => step.protected.contains(protected),
        Step::CheckProtected(step) => step.may_end.contains(&protected.id),
        _ => false,
    });
    stopped.then_some(End::Asked)
}

/// Whoever holds the lock may do so: what lies there is nobody else's.
fn sweep_staging(product: &Product, effects: &Effects<'_>) -> Result<(), ToolkitError> {
    let staging = product.layout.staging();
    if effects.files.look(&staging)? != Found::Missing {
        effects.files.remove(&staging)?;
    }
    Ok(())
}

/// Whether a name is that of a file which was to become another.
fn is_beside(name: &OsStr, path: &Path) -> bool {
    let (name, path) = (name.to_string_lossy(), path.file_name());
    path.is_some_and(|path| name.contains(&*path.to_string_lossy()))
}

/// Takes away what an install made before its first step, and a step cannot revert: folders, and
/// a journal that never got its name. Only where nothing is installed and no operation is left to
/// finish.
fn sweep_empty_folders(product: &Product, effects: &Effects<'_>) -> Result<(), ToolkitError> {
    let layout = &product.layout;
    let files = effects.files;
    if files.look(&layout.journal())? != Found::Missing {
        return Ok(());
    }
    let names = files.list(&layout.install_state)?;
    let journal = layout.journal();
    if names.iter().any(|name| is_beside(name, &journal)) {
        files.remove(&journal)?;
    }
    // a record whose writing was interrupted
    let seen = layout.seen();
    if names
        .iter()
        .any(|name| Some(name.as_os_str()) != seen.file_name() && is_beside(name, &seen))
    {
        files.settle(&seen)?;
    }
    let installed = files.look(&layout.receipt())? != Found::Missing
        || !files.list(&layout.versions)?.is_empty();
    if installed {
        return Ok(());
    }
    for folder in [
        layout.keys(),
        layout.roots(),
        layout.config.clone(),
        layout.versions.clone(),
        layout.install_state.clone(),
    ] {
        if files.look(&folder)? == Found::Folder {
            files.remove_if_empty(&folder)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
