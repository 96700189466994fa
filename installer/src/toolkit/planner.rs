//! What a run would do: a look at the host, and a plan.
//!
//! Guarantees: nothing that belongs to the product is changed; the lock is held as long as the
//! planner lives, so that what was seen stays true.

use std::path::Path;

use super::prepare::{
    all_findings, installed_receipt, render_units, rolled_back_receipt, updated_receipt,
    with_contents,
};
use super::{
    InstallRequest, ReleaseFolder, RestartRequest, RollbackRequest, ToolkitError, UninstallRequest,
    UpdateRequest,
};
use crate::effect::{Effects, Lock};
use crate::journal::Journal;
use crate::model::{Found, Product, Receipt, Version};
use crate::observe::{Freshness, HostState, observe, read_receipt};
use crate::plan::{self, Finding, Goal, Operation, Plan, Purge, Rendered, Stage};
use crate::unit;

/// What a run would do, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// What would be done.
    pub plan: Plan,
    /// The host as it was found.
    pub state: HostState,
    /// What is not as it was installed.
    pub findings: Vec<Finding>,
    /// The version that runs in the end, if one does.
    pub version: Option<Version>,
}

/// Makes plans, and carries none out.
pub struct Planner<'a> {
    pub(super) product: &'a Product,
    pub(super) effects: Effects<'a>,
    freshness: Freshness,
    _lock: Lock,
}

impl<'a> Planner<'a> {
    /// A planner for a dry run: systemd is not made to read its units anew, and what an interrupted
    /// run left is not taken back.
    ///
    /// # Errors
    /// [`ToolkitError::Lock`] when a run is at work; [`ToolkitError::Interrupted`] when one was
    /// interrupted: what will be done is only known once that is taken back.
    pub fn look(product: &'a Product, effects: Effects<'a>) -> Result<Self, ToolkitError> {
        let lock = Lock::take(&product.layout.lock)?;
        if let Some(journal) = Journal::load(&product.layout.journal(), effects.files)? {
            return Err(ToolkitError::Interrupted {
                operation: journal.operation,
            });
        }
        Ok(Self::new(product, effects, Freshness::AsLoaded, lock))
    }

    pub(super) const fn new(
        product: &'a Product,
        effects: Effects<'a>,
        freshness: Freshness,
        lock: Lock,
    ) -> Self {
        Self {
            product,
            effects,
            freshness,
            _lock: lock,
        }
    }

    /// The receipt of what is installed.
    ///
    /// # Errors
    /// [`ToolkitError::NotInstalled`], or a receipt that cannot be read.
    pub fn receipt(&self) -> Result<Receipt, ToolkitError> {
        read_receipt(self.product, &self.effects)?.ok_or_else(|| self.not_installed())
    }

    /// What an install would do.
    ///
    /// # Errors
    /// [`ToolkitError`].
    pub fn install(&self, request: &InstallRequest) -> Result<Preview, ToolkitError> {
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
            stage: self.stage(&request.release, &state)?,
            stop_guests: request.stop_guests,
            ..self.goal(
                Operation::Install,
                self.with_contents(receipt, &request.release)?,
                &request.release.path,
                &request.values,
            )?
        };
        let findings = all_findings(self.product, &state, Some(&goal.units));
        self.converge(state, &goal, findings)
    }

    /// What an update would do.
    ///
    /// # Errors
    /// [`ToolkitError`].
    pub fn update(&self, request: &UpdateRequest) -> Result<Preview, ToolkitError> {
        let old = self.receipt()?;
        let state = self.observe()?;
        let receipt = updated_receipt(&old, request, self.effects.clock.now());
        let goal = Goal {
            stage: self.stage(&request.release, &state)?,
            stop_guests: request.stop_guests,
            ..self.goal(
                Operation::Update,
                self.with_contents(receipt, &request.release)?,
                &request.release.path,
                &request.values,
            )?
        };
        let findings = self.findings(&state, &old, &request.values);
        self.converge(state, &goal, findings)
    }

    /// What a rollback would do.
    ///
    /// # Errors
    /// [`ToolkitError::NothingBefore`], when the version before is not there; [`ToolkitError`].
    pub fn rollback(&self, request: &RollbackRequest) -> Result<Preview, ToolkitError> {
        let old = self.receipt()?;
        let nothing = || ToolkitError::NothingBefore {
            version: old.version.clone(),
        };
        let version = old.previous.clone().ok_or_else(nothing)?;
        let folder = self.product.layout.version(&version);
        if self.effects.files.look(&folder)? != Found::Folder {
            return Err(nothing());
        }
        let state = self.observe()?;
        let receipt = rolled_back_receipt(&old, &version, request, self.effects.clock.now());
        let goal = Goal {
            stop_guests: request.stop_guests,
            ..self.goal(Operation::Rollback, receipt, &folder, &request.values)?
        };
        let findings = self.findings(&state, &old, &request.values);
        self.converge(state, &goal, findings)
    }

    /// What a restart would do.
    ///
    /// # Errors
    /// [`ToolkitError`].
    pub fn restart(&self, request: &RestartRequest) -> Result<Preview, ToolkitError> {
        let receipt = self.receipt()?;
        let state = self.observe()?;
        let folder = self.product.layout.version(&receipt.version);
        let goal = Goal {
            restart: true,
            stop_guests: request.stop_guests,
            ..self.goal(Operation::Restart, receipt, &folder, &request.values)?
        };
        let findings = all_findings(self.product, &state, Some(&goal.units));
        self.converge(state, &goal, findings)
    }

    /// What an uninstall would do. A receipt is not needed for it: whatever an interrupted run, or
    /// somebody's hand, left behind can be removed.
    ///
    /// # Errors
    /// [`ToolkitError::GuestsInTheWay`], [`ToolkitError::NotInstalled`].
    pub fn uninstall(&self, request: UninstallRequest) -> Result<Preview, ToolkitError> {
        if !self.anything_left(request.purge)? {
            return Err(self.not_installed());
        }
        let state = self.observe()?;
        if !state.survivors.is_empty() && !request.stop_guests {
            return Err(ToolkitError::GuestsInTheWay {
                names: state.survivors.iter().map(|one| one.name.clone()).collect(),
            });
        }
        Ok(Preview {
            plan: plan::uninstall(self.product, &state, request.purge),
            state,
            findings: Vec::new(),
            version: None,
        })
    }

    /// Whether the product left anything that an uninstall would take away. A unit's name alone is no
    /// proof: the file may be somebody else's.
    fn anything_left(&self, purge: Purge) -> Result<bool, ToolkitError> {
        let layout = &self.product.layout;
        let mut places = vec![layout.receipt(), layout.versions.clone()];
        // what was seen of releases stays, as keys and configuration do
        let memory = layout.seen();
        let names = self.effects.files.list(&layout.install_state)?;
        let only_memory =
            matches!(&names[..], [name] if Some(name.as_os_str()) == memory.file_name());
        if purge == Purge::State || !only_memory {
            places.push(layout.install_state.clone());
        }
        if purge == Purge::State {
            places.push(layout.config.clone());
            places.extend(layout.product_state.iter().cloned());
        }
        for place in places {
            if self.effects.files.look(&place)? != Found::Missing {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn not_installed(&self) -> ToolkitError {
        ToolkitError::NotInstalled {
            product: self.product.name.clone(),
        }
    }

    /// # Errors
    /// [`ToolkitError::InTheWay`]: what an administrator did on purpose is not fought.
    fn converge(
        &self,
        state: HostState,
        goal: &Goal,
        findings: Vec<Finding>,
    ) -> Result<Preview, ToolkitError> {
        if let Some(obstacle) = plan::obstacle(self.product, &state, &goal.units) {
            return Err(ToolkitError::InTheWay(Box::new(obstacle)));
        }
        Ok(Preview {
            plan: plan::converge(self.product, &state, goal),
            state,
            findings,
            version: Some(goal.version.clone()),
        })
    }

    /// What is to be in the end: the version of `receipt`, with the units of the release in `folder`.
    /// Nothing has to come from elsewhere, nobody is stopped, and nothing restarts without need.
    fn goal(
        &self,
        operation: Operation,
        receipt: Receipt,
        folder: &Path,
        values: &unit::Values,
    ) -> Result<Goal, ToolkitError> {
        Ok(Goal {
            operation,
            version: receipt.version.clone(),
            stage: None,
            units: self.render(folder, values)?,
            receipt,
            restart: false,
            stop_guests: false,
            now: self.effects.clock.now(),
        })
    }

    fn with_contents(
        &self,
        receipt: Receipt,
        release: &ReleaseFolder,
    ) -> Result<Receipt, ToolkitError> {
        with_contents(receipt, self.product, release, &self.effects)
    }

    fn observe(&self) -> Result<HostState, ToolkitError> {
        Ok(observe(self.product, &self.effects, self.freshness)?)
    }

    /// What is not as `installed` left it.
    fn findings(
        &self,
        state: &HostState,
        installed: &Receipt,
        values: &unit::Values,
    ) -> Vec<Finding> {
        let folder = self.product.layout.version(&installed.version);
        let units = self.render(&folder, values).ok();
        all_findings(self.product, state, units.as_deref())
    }

    /// How a release's folder gets to its place.
    fn stage(
        &self,
        release: &ReleaseFolder,
        state: &HostState,
    ) -> Result<Option<Stage>, ToolkitError> {
        let layout = &self.product.layout;
        let folder = layout.version(&release.version);
        let there = self.effects.files.look(&folder)? != Found::Missing;
        let installed = state.receipt.as_ref().map(|receipt| &receipt.version);
        let sound = installed != Some(&release.version)
            || state
                .published
                .iter()
                .filter(|(path, _)| path.starts_with("bin/"))
                .all(|(_, print)| print.is_some_and(plan::is_sound));
        if there && sound && self.effects.files.same_tree(&release.path, &folder)? {
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
