//! The toolkit's door: install, update, restart, uninstall and status of a product.
//!
//! Guarantees: one run at a time (the lock); what an interrupted run left is taken back before
//! anything else; the host is read before it is changed; and a run either holds whole or leaves the
//! host as it was. Nothing here prints: what happens goes to a [`Report`].

mod error;
mod prepare;
mod request;
mod status;

use std::path::Path;

use crate::effect::systemd::{HostSystemd, SystemdError};
use crate::effect::{
    Effects, Health, HostClock, HostFiles, HostProcesses, HostPrograms, Lock, Survivors,
};
use crate::engine;
use crate::journal;
use crate::model::{Found, Product, Receipt, Survivor, Version};
use crate::observe::{Freshness, HostState, observe};
use crate::plan::{self, Finding, Goal, Operation, Plan, Purge, Rendered, Stage};
use crate::unit;

pub use crate::engine::RunError;
use prepare::{all_findings, installed_receipt, render_units, updated_receipt};

pub use crate::report::{Event, Report, Silent};
pub use error::ToolkitError;
pub use request::{InstallRequest, ReleaseFolder, UpdateRequest};
pub use status::{Status, UnitStatus, status};

/// This machine, as the toolkit acts on it.
#[derive(Debug)]
pub struct HostSide {
    systemd: HostSystemd,
    clock: HostClock,
}

impl HostSide {
    /// Connects to this machine's systemd.
    ///
    /// # Errors
    /// [`SystemdError`], when systemd is not the init system, or D-Bus does not answer.
    pub fn connect() -> Result<Self, SystemdError> {
        Ok(Self {
            systemd: HostSystemd::connect()?,
            clock: HostClock::default(),
        })
    }

    /// The effects of a run.
    pub fn effects<'a>(
        &'a self,
        survivors: &'a dyn Survivors,
        health: &'a dyn Health,
        interrupt: &'a std::sync::atomic::AtomicBool,
    ) -> Effects<'a> {
        Effects {
            files: &HostFiles,
            systemd: &self.systemd,
            processes: &HostProcesses,
            programs: &HostPrograms,
            clock: &self.clock,
            survivors,
            health,
            interrupt,
        }
    }
}

/// How a run ended that held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The host was as it should be; nothing was changed.
    Unchanged,
    /// All steps hold.
    Changed(Summary),
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The version before, if there was one.
    pub from: Option<Version>,
    /// The version that runs, if one does.
    pub version: Option<Version>,
    /// What was not as it had been installed.
    pub findings: Vec<Finding>,
    /// Who ran before, and runs still.
    pub survivors: Vec<Survivor>,
    /// What was done.
    pub plan: Plan,
}

/// One run of the toolkit: it holds the lock.
pub struct Toolkit<'a> {
    product: &'a Product,
    effects: Effects<'a>,
    report: &'a mut dyn Report,
    _lock: Lock,
}

impl<'a> Toolkit<'a> {
    /// Takes the lock, and takes back or finishes what an interrupted run left.
    ///
    /// # Errors
    /// [`ToolkitError::Lock`] at once when another run is at work; [`ToolkitError::Journal`].
    pub fn begin(
        product: &'a Product,
        effects: Effects<'a>,
        report: &'a mut dyn Report,
    ) -> Result<Self, ToolkitError> {
        let lock = Lock::take(&product.layout.lock)?;
        journal::recover(&product.layout.journal(), &effects, report)?;
        sweep_staging(product, &effects)?;
        Ok(Self {
            product,
            effects,
            report,
            _lock: lock,
        })
    }

    /// The receipt of what is installed.
    ///
    /// # Errors
    /// [`ToolkitError::NotInstalled`], or a receipt that cannot be read.
    pub fn receipt(&self) -> Result<Receipt, ToolkitError> {
        crate::observe::read_receipt(self.product, &self.effects)?.ok_or_else(|| {
            ToolkitError::NotInstalled {
                product: self.product.name.clone(),
            }
        })
    }

    /// Installs a release, or mends what is installed. On a host that is as it should be nothing
    /// is changed.
    ///
    /// # Errors
    /// [`ToolkitError`]; the host is as it was then.
    pub fn install(&mut self, request: &InstallRequest) -> Result<Outcome, ToolkitError> {
        let (plan, state, findings) = self.plan_install(request)?;
        self.carry_out(plan, state, findings, Some(request.release.version.clone()))
    }

    /// What [`Self::install`] would do.
    ///
    /// # Errors
    /// [`ToolkitError`].
    pub fn plan_install(
        &mut self,
        request: &InstallRequest,
    ) -> Result<(Plan, HostState, Vec<Finding>), ToolkitError> {
        if let Some(lacks) = self
            .product
            .required
            .iter()
            .find(|required| !required.path.exists())
        {
            return Err(ToolkitError::Requirement(lacks.clone()));
        }
        let state = self.observe()?;
        let receipt = installed_receipt(request, &state, self.effects.clock.now());
        let goal = Goal {
            operation: Operation::Install,
            version: request.release.version.clone(),
            stage: self.stage(&request.release)?,
            units: self.render(&request.release.path, &request.values)?,
            receipt,
            restart: false,
        };
        let findings = self.findings(&state, Some(&goal.units));
        let plan = plan::converge(self.product, &state, &goal);
        Ok((plan, state, findings))
    }

    /// Moves to another version.
    ///
    /// # Errors
    /// [`ToolkitError`]; the host is as it was then.
    pub fn update(&mut self, request: &UpdateRequest) -> Result<Outcome, ToolkitError> {
        let (plan, state, findings) = self.plan_update(request)?;
        self.carry_out(plan, state, findings, Some(request.release.version.clone()))
    }

    /// What [`Self::update`] would do.
    ///
    /// # Errors
    /// [`ToolkitError`].
    pub fn plan_update(
        &mut self,
        request: &UpdateRequest,
    ) -> Result<(Plan, HostState, Vec<Finding>), ToolkitError> {
        let old = self.receipt()?;
        let state = self.observe()?;
        let goal = Goal {
            operation: Operation::Update,
            version: request.release.version.clone(),
            stage: self.stage(&request.release)?,
            units: self.render(&request.release.path, &request.values)?,
            receipt: updated_receipt(&old, request, self.effects.clock.now()),
            restart: false,
        };
        let installed = self
            .render(&self.product.layout.version(&old.version), &request.values)
            .ok();
        let findings = self.findings(&state, installed.as_deref());
        let plan = plan::converge(self.product, &state, &goal);
        Ok((plan, state, findings))
    }

    /// Restarts the services, after mending what would hurt those who must live.
    ///
    /// # Errors
    /// [`ToolkitError`]; the host is as it was then.
    pub fn restart(&mut self, values: &unit::Values) -> Result<Outcome, ToolkitError> {
        let receipt = self.receipt()?;
        let state = self.observe()?;
        let folder = self.product.layout.version(&receipt.version);
        let goal = Goal {
            operation: Operation::Restart,
            version: receipt.version.clone(),
            stage: None,
            units: self.render(&folder, values)?,
            receipt: receipt.clone(),
            restart: true,
        };
        let findings = self.findings(&state, Some(&goal.units));
        let plan = plan::converge(self.product, &state, &goal);
        self.carry_out(plan, state, findings, Some(receipt.version))
    }

    /// What [`Self::uninstall`] would do.
    ///
    /// # Errors
    /// [`ToolkitError::GuestsInTheWay`], [`ToolkitError::NotInstalled`].
    pub fn plan_uninstall(&mut self, purge: Purge) -> Result<(Plan, HostState), ToolkitError> {
        let receipt = self.product.layout.receipt();
        if self.effects.files.look(&receipt)? == Found::Missing {
            return Err(ToolkitError::NotInstalled {
                product: self.product.name.clone(),
            });
        }
        let state = self.observe()?;
        if !state.survivors.is_empty() {
            return Err(ToolkitError::GuestsInTheWay {
                names: state.survivors.iter().map(|one| one.name.clone()).collect(),
            });
        }
        let plan = plan::uninstall(self.product, &state, purge);
        Ok((plan, state))
    }

    /// Removes the product. The run is over with it: the lock's own folder goes, too.
    ///
    /// # Errors
    /// [`ToolkitError`]; the host is as it was then.
    pub fn uninstall(mut self, purge: Purge) -> Result<Outcome, ToolkitError> {
        let (plan, state) = self.plan_uninstall(purge)?;
        let outcome = self.carry_out(plan, state, Vec::new(), None)?;
        let layout = &self.product.layout;
        self.effects.files.remove(&layout.lock)?;
        self.effects.files.remove_if_empty(&layout.install_state)?;
        Ok(outcome)
    }

    fn observe(&mut self) -> Result<HostState, ToolkitError> {
        Ok(observe(self.product, &self.effects, Freshness::Reload)?)
    }

    fn findings(&mut self, state: &HostState, installed: Option<&[Rendered]>) -> Vec<Finding> {
        let findings = all_findings(self.product, state, installed);
        for finding in &findings {
            self.report.event(&Event::Finding { finding });
        }
        findings
    }

    fn carry_out(
        &mut self,
        plan: Plan,
        state: HostState,
        findings: Vec<Finding>,
        version: Option<Version>,
    ) -> Result<Outcome, ToolkitError> {
        if plan.is_empty() {
            // a release may have been fetched for nothing
            sweep_staging(self.product, &self.effects)?;
            return Ok(Outcome::Unchanged);
        }
        engine::run(&plan, &self.product.layout, &self.effects, self.report)?;
        Ok(Outcome::Changed(Summary {
            from: state.receipt.map(|receipt| receipt.version),
            version,
            findings,
            survivors: state.survivors,
            plan,
        }))
    }

    /// How a release's folder gets to its place.
    fn stage(&self, release: &ReleaseFolder) -> Result<Option<Stage>, ToolkitError> {
        let layout = &self.product.layout;
        let folder = layout.version(&release.version);
        let there = self.effects.files.look(&folder)? != Found::Missing;
        if there && self.effects.files.same_tree(&release.path, &folder)? {
            return Ok(None);
        }
        Ok(Some(Stage {
            from: release.path.clone(),
            may_move: release.path.starts_with(layout.staging()),
            replaces: there,
        }))
    }

    fn render(&self, folder: &Path, values: &unit::Values) -> Result<Vec<Rendered>, ToolkitError> {
        render_units(self.product, &self.effects, folder, values)
    }
}

/// Whoever holds the lock may do so: what lies there is nobody else's.
fn sweep_staging(product: &Product, effects: &Effects<'_>) -> Result<(), ToolkitError> {
    let staging = product.layout.staging();
    if effects.files.look(&staging)? != Found::Missing {
        effects.files.remove(&staging)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
