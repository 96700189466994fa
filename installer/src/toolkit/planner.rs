//! What an operation would do: a look at the host, and a plan.
//!
//! Guarantees: nothing that belongs to the product is changed; the lock is held as long as the
//! planner lives, so that what was seen stays true.

use std::path::Path;

use jiff::Timestamp;

use super::prepare::{
    all_findings, installed_product, installed_receipt, product_in, render_units,
    rolled_back_receipt, updated_receipt, with_contents,
};
use super::state::AskedOf;
use super::{
    InstallRequest, ReleaseFolder, RestartRequest, RollbackRequest, ToolkitError, UninstallRequest,
    UpdateRequest,
};
use crate::effect::{Effects, Lock};
use crate::journal::Journal;
use crate::model::{Found, InstalledSet, InstalledUnit, Product, Receipt, Version};
use crate::observe::{Freshness, HostState, observe, read_receipt, read_set};
use crate::plan::{self, Finding, Goal, Operation, Plan, Purge, Rendered, Stage};
use crate::unit;

/// What an operation would do, and what it rests on.
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
    pub(super) lock: Lock,
}

impl<'a> Planner<'a> {
    /// A planner for a dry run: systemd is not made to read its units anew, and what an interrupted
    /// run left is not rolled back.
    ///
    /// # Errors
    /// [`ToolkitError::Lock`] when an operation is in progress; [`ToolkitError::Interrupted`] when
    /// one was interrupted: what will be done is only known once that is rolled back.
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
            lock,
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
    pub(super) fn install(
        &self,
        request: &InstallRequest,
        now: Timestamp,
    ) -> Result<Preview, ToolkitError> {
        if let Some(lacks) = self
            .product
            .required
            .iter()
            .find(|required| !required.path.exists())
        {
            return Err(ToolkitError::Requirement(lacks.clone()));
        }
        let product = self.product_in(&request.release.path)?;
        let state = self.observe(&product)?;
        let receipt = installed_receipt(request, &state, now);
        let units = self.render(&product, &request.release.path, &request.values)?;
        let installed = state.receipt.as_ref();
        let changes = installed.is_some_and(|old| old.version != receipt.version);
        let asked = AskedOf::new(&receipt, &request.release.path);
        let goal = Goal {
            stage: self.stage(&request.release, &state)?,
            stop_guests: request.stop_guests,
            migrations: self.migrations(&product, asked, changes)?,
            ..goal(
                Operation::Install,
                self.with_contents(receipt, &product, &request.release)?,
                units,
                now,
            )
        };
        let findings = all_findings(&product, &state, Some(&goal.units));
        converge(&product, state, &goal, findings)
    }

    /// What an update would do.
    pub(super) fn update(
        &self,
        request: &UpdateRequest,
        now: Timestamp,
    ) -> Result<Preview, ToolkitError> {
        let old = self.receipt()?;
        let product = self.product_in(&request.release.path)?;
        let state = self.observe(&product)?;
        let receipt = updated_receipt(&old, request, now);
        let units = self.render(&product, &request.release.path, &request.values)?;
        let changes = old.version != receipt.version;
        let asked = AskedOf::new(&receipt, &request.release.path);
        let goal = Goal {
            stage: self.stage(&request.release, &state)?,
            stop_guests: request.stop_guests,
            migrations: self.migrations(&product, asked, changes)?,
            ..goal(
                Operation::Update,
                self.with_contents(receipt, &product, &request.release)?,
                units,
                now,
            )
        };
        let findings = self.findings(&state, &old, &request.values);
        converge(&product, state, &goal, findings)
    }

    /// What a rollback would do.
    ///
    /// # Errors
    /// [`ToolkitError::NothingBefore`], when the version before is not there; [`ToolkitError`].
    pub(super) fn rollback(
        &self,
        request: &RollbackRequest,
        now: Timestamp,
    ) -> Result<Preview, ToolkitError> {
        let old = self.receipt()?;
        let nothing = || ToolkitError::NothingBefore {
            version: old.version.clone(),
        };
        let version = old.previous.clone().ok_or_else(nothing)?;
        let folder = self.product.layout.version(&version);
        if self.effects.files.look(&folder)? != Found::Folder {
            return Err(nothing());
        }
        // the very set that was there, where it was written down
        let set = read_set(self.product, &version, &self.effects)?;
        let (product, units) = if let Some(set) = set {
            (self.product.with_set(&set), texts(&set))
        } else {
            let product = self.product_in(&folder)?;
            let units = self.render(&product, &folder, &request.values)?;
            (product, units)
        };
        let state = self.observe(&product)?;
        let receipt = rolled_back_receipt(&old, &version, request, now);
        // while it is on probation, state of a later format goes back with the version
        let goes_back = state.probation.as_ref();
        if goes_back.is_none_or(|probation| probation.version != old.version) {
            self.check_way_back(&product, AskedOf::new(&receipt, &folder))?;
        }
        let goal = Goal {
            stop_guests: request.stop_guests,
            ..goal(Operation::Rollback, receipt, units, now)
        };
        let findings = self.findings(&state, &old, &request.values);
        converge(&product, state, &goal, findings)
    }

    /// What a restart would do.
    ///
    /// # Errors
    /// [`ToolkitError`].
    pub(super) fn restart(
        &self,
        request: &RestartRequest,
        now: Timestamp,
    ) -> Result<Preview, ToolkitError> {
        let receipt = self.receipt()?;
        let product = installed_product(self.product, Some(&receipt), &self.effects)?;
        let state = self.observe(&product)?;
        let folder = self.product.layout.version(&receipt.version);
        let units = self.render(&product, &folder, &request.values)?;
        let goal = Goal {
            restart: true,
            stop_guests: request.stop_guests,
            ..goal(Operation::Restart, receipt, units, now)
        };
        let findings = all_findings(&product, &state, Some(&goal.units));
        converge(&product, state, &goal, findings)
    }

    /// What an uninstall would do. A receipt is not needed for it: whatever an interrupted
    /// operation, or somebody's hand, left behind can be removed.
    ///
    /// # Errors
    /// [`ToolkitError::GuestsInTheWay`], [`ToolkitError::NotInstalled`].
    pub(super) fn uninstall(&self, request: UninstallRequest) -> Result<Preview, ToolkitError> {
        if !self.anything_left(request.purge)? {
            return Err(self.not_installed());
        }
        let product = self.all_that_may_lie_there()?;
        let state = self.observe(&product)?;
        if !state.protected.is_empty() && !request.stop_guests {
            return Err(ToolkitError::GuestsInTheWay {
                names: state.protected.iter().map(|one| one.name.clone()).collect(),
            });
        }
        Ok(Preview {
            plan: plan::uninstall(&product, &state, request.purge),
            state,
            findings: Vec::new(),
            version: None,
        })
    }

    /// The product with all that the installed version put on the host, and all that this one would.
    fn all_that_may_lie_there(&self) -> Result<Product, ToolkitError> {
        let receipt = read_receipt(self.product, &self.effects)?;
        let mut product = installed_product(self.product, receipt.as_ref(), &self.effects)?;
        for unit in &self.product.units {
            if product.units.iter().all(|known| known.name != unit.name) {
                product.units.push(unit.clone());
            }
        }
        for program in &self.product.programs {
            if !product.programs.contains(program) {
                product.programs.push(program.clone());
            }
        }
        Ok(product)
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

    fn with_contents(
        &self,
        receipt: Receipt,
        product: &Product,
        release: &ReleaseFolder,
    ) -> Result<Receipt, ToolkitError> {
        with_contents(receipt, product, release, &self.effects)
    }

    fn product_in(&self, folder: &Path) -> Result<Product, ToolkitError> {
        product_in(self.product, folder, &self.effects)
    }

    fn observe(&self, product: &Product) -> Result<HostState, ToolkitError> {
        Ok(observe(product, &self.effects, self.freshness)?)
    }

    /// What is not as `installed` left it.
    fn findings(
        &self,
        state: &HostState,
        installed: &Receipt,
        values: &unit::Values,
    ) -> Vec<Finding> {
        let folder = self.product.layout.version(&installed.version);
        let then = installed_product(self.product, Some(installed), &self.effects);
        let then = then.unwrap_or_else(|_| self.product.clone());
        let units = self.render(&then, &folder, values).ok();
        all_findings(&then, state, units.as_deref())
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

    fn render(
        &self,
        product: &Product,
        folder: &Path,
        values: &unit::Values,
    ) -> Result<Vec<Rendered>, ToolkitError> {
        render_units(product, &self.effects, folder, values)
    }
}

/// # Errors
/// [`ToolkitError::InTheWay`]: what an administrator did on purpose is not fought.
fn converge(
    product: &Product,
    state: HostState,
    goal: &Goal,
    findings: Vec<Finding>,
) -> Result<Preview, ToolkitError> {
    if let Some(obstacle) = plan::obstacle(product, &state, &goal.units) {
        return Err(ToolkitError::InTheWay(Box::new(obstacle)));
    }
    Ok(Preview {
        plan: plan::converge(product, &state, goal),
        state,
        findings,
        version: Some(goal.version.clone()),
    })
}

/// What is to be in the end: the version of `receipt`, with these units. Nothing has to come from
/// elsewhere, nobody is stopped, and nothing restarts without need.
fn goal(operation: Operation, receipt: Receipt, units: Vec<Rendered>, now: Timestamp) -> Goal {
    Goal {
        operation,
        version: receipt.version.clone(),
        stage: None,
        units,
        receipt,
        migrations: Vec::new(),
        restart: false,
        stop_guests: false,
        now,
    }
}

/// The units of a set, as they were.
fn texts(set: &InstalledSet) -> Vec<Rendered> {
    let rendered = |unit: &InstalledUnit| Rendered {
        unit: unit.spec.name.clone(),
        text: unit.text.clone(),
    };
    set.units.iter().map(rendered).collect()
}
