//! An operation between its plan and its execution.
//!
//! Guarantees: the plan that was made, and may have been shown to somebody, is the one that is carried
//! out. Where time has passed since, [`Planner::refresh`] tells whether it is still the right one.

use jiff::Timestamp;

use super::{
    Handed, InstallRequest, Outcome, Planner, Preview, ReleaseFolder, RestartRequest,
    RollbackRequest, Session, Taken, ToolkitError, UninstallRequest, UpdateRequest,
};
use crate::effect::{Files, HandoverError};
use crate::unit;
use crate::updater::Staged;

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

impl<'a> Planner<'a> {
    /// The file system.
    pub(crate) const fn files(&self) -> &'a dyn Files {
        self.effects.files
    }

    /// Makes the plan for a request.
    ///
    /// # Errors
    /// [`ToolkitError`]; nothing is changed.
    pub fn prepare(&self, request: Request) -> Result<Prepared, ToolkitError> {
        self.prepare_at(request, self.now())
    }

    /// Makes the plan for a release that was verified and unpacked. `values` fill its unit templates;
    /// with `stop_guests` protected processes that would be killed and cannot be moved are ended, instead
    /// of refusing.
    ///
    /// # Errors
    /// [`ToolkitError`]; nothing is changed.
    pub fn plan(
        &self,
        staged: &Staged<'_>,
        values: unit::Values,
        stop_guests: bool,
    ) -> Result<Prepared, ToolkitError> {
        self.prepare(Request::Update(UpdateRequest::of(
            staged.release.clone(),
            &staged.info,
            values,
            stop_guests,
        )))
    }

    /// The same for a release that another program has verified and handed to this one.
    ///
    /// # Errors
    /// [`ToolkitError::Handover`], when that program asks for something else; [`ToolkitError`].
    pub fn plan_taken(
        &self,
        taken: &Taken,
        values: unit::Values,
    ) -> Result<Prepared, ToolkitError> {
        let Handed::Update(handed) = taken.handed() else {
            let what = std::io::Error::other("no update is asked for");
            return Err(HandoverError::NotCalled(what).into());
        };
        let release = ReleaseFolder {
            path: handed.release.clone(),
            version: handed.info.version.clone(),
        };
        let (info, stop_guests) = (&handed.info, handed.stop_guests);
        let request = UpdateRequest::of(release, info, values, stop_guests);
        self.prepare(Request::Update(request))
    }

    /// What the clock says.
    pub(crate) fn now(&self) -> Timestamp {
        self.effects.clock.now()
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

impl Prepared {
    /// Carries out what was prepared. A version that fails is remembered.
    ///
    /// # Errors
    /// [`ToolkitError`]; the host is as it was then.
    pub fn execute(self, session: &mut Session<'_>) -> Result<Outcome, ToolkitError> {
        let Self {
            request, preview, ..
        } = self;
        let outcome = session.carry_out(preview);
        match (&request, &outcome) {
            (Request::Update(request), Err(error)) => {
                // the first error is the one to tell
                let _ = session.remember_failure(&request.release.version, error);
            }
            (Request::Uninstall(_), Ok(_)) => session.remove_own_traces()?,
            _ => {}
        }
        outcome
    }
}

impl Session<'_> {
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
