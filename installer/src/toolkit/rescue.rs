//! The rollback that needs nobody: run by the product's rescue unit, beside the updater and after it.
//!
//! Guarantees: as long as somebody holds the lock nothing is touched; a run whose program died is
//! taken back, or finished, at once; a version on trial that ends by itself, stops answering or says
//! another version is left for the one before it; and a version that stays well for the whole trial
//! is off it. Every decision is made anew from what lies on the disk, so that this may be killed and
//! started again at any moment.

use std::time::Duration;

use super::{Event, Report, RollbackRequest, Toolkit, ToolkitError};
use crate::effect::{Effects, Lock, LockError};
use crate::journal::Journal;
use crate::model::{Product, Receipt, Trial, UnitFacts, UnitName, Version};
use crate::observe::read_trial;
use crate::unit;

/// How long a version is watched, and how patiently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RescueLimits {
    /// How long a version must stay well, from the moment the updater has ended or the host has
    /// booted.
    pub trial: Duration,
    /// How long a service may go without a good answer.
    pub patience: Duration,
    /// Between two looks.
    pub pause: Duration,
}

impl Default for RescueLimits {
    fn default() -> Self {
        Self {
            trial: Duration::from_secs(60),
            patience: Duration::from_secs(3),
            pause: Duration::from_millis(200),
        }
    }
}

/// How a watch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rescued {
    /// There was nothing to watch, or no longer: what a dead run left was taken back or finished.
    Nothing,
    /// The version stayed well: its trial is over.
    Passed(Version),
    /// It did not, and the version before is back.
    RolledBack {
        /// The version that was left.
        from: Version,
        /// Why.
        why: String,
    },
    /// A signal ended the watch.
    Interrupted,
}

/// Watches until there is nothing left to watch. `values` fills the unit templates.
///
/// # Errors
/// [`ToolkitError`], when what was found cannot be mended; the unit's `Restart=` tries again.
pub fn rescue(
    product: &Product,
    effects: Effects<'_>,
    report: &mut dyn Report,
    values: &dyn Fn(&Receipt) -> unit::Values,
    limits: &RescueLimits,
) -> Result<Rescued, ToolkitError> {
    let mut watch = Watch::new(&effects);
    loop {
        if effects.interrupt.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(Rescued::Interrupted);
        }
        if Lock::holder(&product.layout.lock)?.is_some() {
            watch = Watch::new(&effects);
            effects.clock.pause(limits.pause);
            continue;
        }
        if Journal::load(&product.layout.journal(), effects.files)?.is_some() {
            // whoever wrote it holds no lock, so it is dead; taking the lock takes it back
            match Toolkit::begin(product, effects, report) {
                Ok(_) | Err(ToolkitError::Lock(LockError::Held { .. })) => {}
                Err(error) => return Err(error),
            }
            watch = Watch::new(&effects);
            continue;
        }
        let Some(trial) = read_trial(product, &effects)? else {
            return Ok(Rescued::Nothing);
        };
        match watch.look(&trial, product, &effects, limits)? {
            Verdict::Well => effects.clock.pause(limits.pause),
            Verdict::Passed => {
                if pass(product, &effects, &trial)? {
                    return Ok(Rescued::Passed(trial.version));
                }
            }
            Verdict::Unwell(why) => {
                if let Some(rescued) = go_back(product, effects, report, values, &trial, why)? {
                    return Ok(rescued);
                }
                watch = Watch::new(&effects);
            }
        }
    }
}

/// Takes a version off its trial, unless somebody else is at work by now.
fn pass(product: &Product, effects: &Effects<'_>, trial: &Trial) -> Result<bool, ToolkitError> {
    let _lock = match Lock::take(&product.layout.lock) {
        Err(LockError::Held { .. }) => return Ok(false),
        taken => taken?,
    };
    if read_trial(product, effects)?.as_ref() != Some(trial) {
        return Ok(false);
    }
    effects.files.remove(&product.layout.trial())?;
    Ok(true)
}

/// Goes back to the version before; none when somebody else is at work, or was meanwhile.
fn go_back(
    product: &Product,
    effects: Effects<'_>,
    report: &mut dyn Report,
    values: &dyn Fn(&Receipt) -> unit::Values,
    trial: &Trial,
    why: String,
) -> Result<Option<Rescued>, ToolkitError> {
    report.event(&Event::TrialFailed {
        version: &trial.version,
        why: &why,
    });
    let mut toolkit = match Toolkit::begin(product, effects, report) {
        Err(ToolkitError::Lock(LockError::Held { .. })) => return Ok(None),
        begun => begun?,
    };
    let receipt = toolkit.receipt()?;
    if receipt.version != trial.version {
        // the trial of a version that is not installed any more
        effects.files.remove(&product.layout.trial())?;
        return Ok(None);
    }
    toolkit.rollback(&RollbackRequest {
        values: values(&receipt),
        why: Some(why.clone()),
        stop_guests: false,
    })?;
    Ok(Some(Rescued::RolledBack {
        from: receipt.version,
        why,
    }))
}

enum Verdict {
    Well,
    Passed,
    Unwell(String),
}

/// What has been seen of a version on trial.
struct Watch {
    begun: Duration,
    well_at: Duration,
}

impl Watch {
    fn new(effects: &Effects<'_>) -> Self {
        let now = effects.clock.monotonic();
        Self {
            begun: now,
            well_at: now,
        }
    }

    fn look(
        &mut self,
        trial: &Trial,
        product: &Product,
        effects: &Effects<'_>,
        limits: &RescueLimits,
    ) -> Result<Verdict, ToolkitError> {
        let keepers: Vec<UnitName> = product.keepers().cloned().collect();
        let mut starting = false;
        for unit in &keepers {
            let facts = effects.systemd.unit(unit)?;
            if has_ended_by_itself(&facts) {
                return Ok(Verdict::Unwell(format!("{unit} ended by itself")));
            }
            starting |= facts.is_starting();
        }
        if starting {
            // after a boot it may have to wait, for the network say; systemd ends what takes too long
            self.well_at = effects.clock.monotonic();
            return Ok(Verdict::Well);
        }
        let mut missing = None;
        // all at the same time: a look must not take as long as all of their bounds together
        let answers = effects.health.probe_all(&keepers);
        for (unit, answer) in keepers.iter().zip(answers) {
            match answer {
                Ok(version) if version == trial.version => {}
                Ok(version) => return Ok(Verdict::Unwell(format!("{unit} says {version}"))),
                // it may have ended while it was asked
                Err(_) if has_ended_by_itself(&effects.systemd.unit(unit)?) => {
                    return Ok(Verdict::Unwell(format!("{unit} ended by itself")));
                }
                Err(error) => {
                    // what failed is said here; the error may say so, too, and knows why
                    let cause = error.source().map(ToString::to_string);
                    let cause = cause.unwrap_or_else(|| error.to_string());
                    missing = Some(format!("{unit} does not answer: {cause}"));
                }
            }
        }
        let now = effects.clock.monotonic();
        match missing {
            None if now.saturating_sub(self.begun) >= limits.trial => return Ok(Verdict::Passed),
            None => self.well_at = now,
            Some(why) if now.saturating_sub(self.well_at) >= limits.patience => {
                return Ok(Verdict::Unwell(why));
            }
            Some(_) => {}
        }
        Ok(Verdict::Well)
    }
}

/// systemd counts from zero whenever somebody starts or restarts a service.
fn has_ended_by_itself(facts: &UnitFacts) -> bool {
    let service = facts.service.as_ref();
    service.is_some_and(|service| service.restarts > 0)
}
