//! An operation between its plan and its execution.
//!
//! Guarantees: the plan that was made, and may have been shown to somebody, is the one that is carried
//! out. Where time has passed since, [`Planner::refresh`] tells whether it is still the right one.

use jiff::Timestamp;

use super::{
    InstallRequest, Outcome, Planner, Preview, RestartRequest, RollbackRequest, Toolkit,
    ToolkitError, UninstallRequest, UpdateRequest,
};

/// What is asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Request {
    /// Install a release, or mend what is installed.
    Install(InstallRequest),
    /// Move to another version.
    Update(UpdateRequest),
    /// Move back to the version before.
    Rollback(RollbackRequest),
    /// Restart the services.
    Restart(RestartRequest),
    /// Remove the product.
    Uninstall(UninstallRequest),
}

/// A request with the plan that fulfils it on this host. Made by [`Planner::prepare`] alone.
#[derive(Debug, Clone)]
pub struct Prepared {
    request: Request,
    preview: Preview,
    now: Timestamp,
}

impl Prepared {
    /// The plan, and what it rests on.
    pub const fn preview(&self) -> &Preview {
        &self.preview
    }
}

impl Planner<'_> {
    /// Makes the plan for a request.
    ///
    /// # Errors
    /// [`ToolkitError`]; nothing is changed.
    pub fn prepare(&self, request: Request) -> Result<Prepared, ToolkitError> {
        self.prepare_at(request, self.effects.clock.now())
    }

    /// The plan as it must be by now, when the host is no longer as it was; none when it is.
    ///
    /// # Errors
    /// [`ToolkitError`]; nothing is changed.
    pub fn refresh(&self, prepared: &Prepared) -> Result<Option<Prepared>, ToolkitError> {
        let anew = self.prepare_at(prepared.request.clone(), prepared.now)?;
        Ok((anew.preview.plan != prepared.preview.plan).then_some(anew))
    }

    fn prepare_at(&self, request: Request, now: Timestamp) -> Result<Prepared, ToolkitError> {
        let preview = match &request {
            Request::Install(request) => self.install(request, now),
            Request::Update(request) => self.update(request, now),
            Request::Rollback(request) => self.rollback(request, now),
            Request::Restart(request) => self.restart(request, now),
            Request::Uninstall(request) => self.uninstall(*request),
        }?;
        Ok(Prepared {
            request,
            preview,
            now,
        })
    }
}

impl Toolkit<'_> {
    /// Carries out what was prepared. A version that fails is remembered.
    ///
    /// # Errors
    /// [`ToolkitError`]; the host is as it was then.
    pub fn execute(&mut self, prepared: Prepared) -> Result<Outcome, ToolkitError> {
        let Prepared {
            request, preview, ..
        } = prepared;
        let outcome = self.carry_out(preview);
        match (&request, &outcome) {
            (Request::Update(request), Err(error)) => {
                // the first error is the one to tell
                let _ = self.remember_failure(&request.release.version, error);
            }
            (Request::Uninstall(_), Ok(_)) => self.remove_own_traces()?,
            _ => {}
        }
        outcome
    }

    /// The operation is over with an uninstall: the lock's own folder goes, too.
    fn remove_own_traces(&self) -> Result<(), ToolkitError> {
        let Planner {
            product, effects, ..
        } = &self.planner;
        effects.files.remove(&product.layout.lock)?;
        effects
            .files
            .remove_if_empty(&product.layout.install_state)?;
        Ok(())
    }
}
