//! The rollback that needs nobody: run by the product's rescue unit, beside the updater and after it.
//!
//! Guarantees: as long as somebody holds the lock nothing is touched; a run whose program died is
//! rolled back, or finished, at once; a version on probation that exits, stops answering or says
//! another version is left for the one before it, unless the user whom a service runs as is the reason;
//! a service that somebody stopped is not asked, since a question would start it again by its socket,
//! and the watch waits until it runs, and begins anew; and a version that stays healthy for the
//! whole probation is off it. Every decision is made anew from what lies on the disk, so that this
//! may be killed and started again at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Event, Report, RollbackRequest, Session, ToolkitError};
use crate::effect::{Effects, Lock, LockError};
use crate::model::{Found, Probation, Product, Receipt, UnitFacts, UnitName, Version};
use crate::observe::read_probation;
use crate::plan::{Evidence, Inquiry};
use crate::step::{inquire, proven};
use crate::unit;

/// How long a version is watched, and how patiently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RescueLimits {
    /// How long a version must stay healthy, from the moment the updater has ended or the host has
    /// booted.
    pub probation: Duration,
    /// How long a service may go without a good answer.
    pub patience: Duration,
    /// Between two looks.
    pub pause: Duration,
}

impl Default for RescueLimits {
    fn default() -> Self {
        Self {
            probation: Duration::from_secs(60),
            patience: Duration::from_secs(3),
            pause: Duration::from_millis(100),
        }
    }
}

/// How a watch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rescued {
    /// There was nothing to watch, or no longer: what a dead operation left was rolled back or
    /// finished.
    Nothing,
    /// The version stayed healthy: its probation is over.
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
        if effects.files.look(&product.layout.journal())? != Found::Missing {
            // whoever wrote it holds no lock, so it is dead; taking the lock takes it back
            match Session::begin(product, effects, report) {
                Ok(_) | Err(ToolkitError::Lock(LockError::Held { .. })) => {}
                Err(error) => return Err(error),
            }
            watch = Watch::new(&effects);
            continue;
        }
        let Some(probation) = read_probation(product, &effects)? else {
            return Ok(Rescued::Nothing);
        };
        match watch.look(&probation, product, &effects, report, limits)? {
            Health::Well => effects.clock.pause(limits.pause),
            // for as long as somebody likes
            Health::Waiting => effects.clock.pause(limits.pause * 10),
            Health::Passed => {
                if pass(product, &effects, &probation)? {
                    return Ok(Rescued::Passed(probation.version));
                }
            }
            Health::Unwell(why) => {
                if let Some(rescued) = go_back(product, effects, report, values, &probation, why)? {
                    return Ok(rescued);
                }
                watch = Watch::new(&effects);
            }
        }
    }
}

/// Takes a version off probation, unless another operation is in progress by now.
fn pass(
    product: &Product,
    effects: &Effects<'_>,
    probation: &Probation,
) -> Result<bool, ToolkitError> {
    let _lock = match Lock::take(&product.layout.lock) {
        Err(LockError::Held { .. }) => return Ok(false),
        taken => taken?,
    };
    if read_probation(product, effects)?.as_ref() != Some(probation) {
        return Ok(false);
    }
    effects.files.remove(&product.layout.probation())?;
    Ok(true)
}

/// Goes back to the version before; none when another operation is in progress, or was meanwhile.
fn go_back(
    product: &Product,
    effects: Effects<'_>,
    report: &mut dyn Report,
    values: &dyn Fn(&Receipt) -> unit::Values,
    probation: &Probation,
    why: String,
) -> Result<Option<Rescued>, ToolkitError> {
    report.event(&Event::ProbationFailed {
        version: &probation.version,
        why: &why,
    });
    let mut session = match Session::begin(product, effects, report) {
        Err(ToolkitError::Lock(LockError::Held { .. })) => return Ok(None),
        begun => begun?,
    };
    let receipt = session.receipt()?;
    if receipt.version != probation.version {
        // the probation of a version that is not installed any more
        effects.files.remove(&product.layout.probation())?;
        return Ok(None);
    }
    session.rollback(&RollbackRequest {
        values: values(&receipt),
        why: Some(why.clone()),
        stop_guests: false,
    })?;
    Ok(Some(Rescued::RolledBack {
        from: receipt.version,
        why,
    }))
}

enum Health {
    Well,
    /// Somebody stopped a service.
    Waiting,
    Passed,
    Unwell(String),
}

/// What has been seen of a version on probation.
struct Watch {
    begun: Duration,
    well_at: Duration,
    /// The services that run as another user than root.
    owners: BTreeMap<UnitName, OwnersService>,
    /// The services that somebody stopped, each told of once.
    stopped: BTreeSet<UnitName>,
}

/// A service that its owner may stop and end as she likes.
#[derive(Default)]
struct OwnersService {
    inquiry: Inquiry,
    /// It has answered well.
    answered: bool,
    /// What keeps it from answering, when that is not its program.
    outside: Option<String>,
    /// What was told of that, each once.
    told: BTreeSet<String>,
}

impl Watch {
    fn new(effects: &Effects<'_>) -> Self {
        let now = effects.clock.monotonic();
        Self {
            begun: now,
            well_at: now,
            owners: BTreeMap::new(),
            stopped: BTreeSet::new(),
        }
    }

    /// Whether somebody stopped a service, or does just now. That is no failure of its version: the
    /// watch begins anew when it runs again.
    fn is_stopped(&mut self, unit: &UnitName, facts: &UnitFacts, report: &mut dyn Report) -> bool {
        let by_hand = facts.is_stopped_by_hand();
        if by_hand && self.stopped.insert(unit.clone()) {
            report.event(&Event::StoppedByHand { unit });
        }
        if by_hand || facts.is_being_stopped() {
            self.owners.remove(unit);
            return true;
        }
        self.stopped.remove(unit);
        false
    }

    fn look(
        &mut self,
        probation: &Probation,
        product: &Product,
        effects: &Effects<'_>,
        report: &mut dyn Report,
        limits: &RescueLimits,
    ) -> Result<Health, ToolkitError> {
        let mut asked = Vec::new();
        let (mut starting, mut waiting) = (false, false);
        for unit in product.stateful_services() {
            let facts = effects.systemd.unit(unit)?;
            let owners = facts.is_owner_controlled();
            if (owners || !has_ended_by_itself(&facts)) && self.is_stopped(unit, &facts, report) {
                waiting = true;
                continue;
            }
            if owners {
                let service = self.owners.entry(unit.clone()).or_default();
                if let Some(why) = service.ended(unit, effects, report)? {
                    return Ok(Health::Unwell(format!("{unit} exited: {why}")));
                }
            } else if has_ended_by_itself(&facts) {
                return Ok(Health::Unwell(format!("{unit} exited")));
            }
            if facts.is_starting() {
                // nobody hides a helper's silence behind the start of a service of her own
                starting |= !owners;
                if let Some(service) = self.owners.get_mut(unit) {
                    service.starting(unit, &facts, effects, report)?;
                }
            } else {
                asked.push(unit.clone());
            }
        }
        if starting {
            // after a boot it may have to wait, for the network say; systemd ends what takes too long
            self.well_at = effects.clock.monotonic();
            return Ok(Health::Well);
        }
        let mut missing = None;
        // all at the same time: a look must not take as long as all of their bounds together
        let answers = effects.health.probe_all(&asked);
        for (unit, answer) in asked.iter().zip(answers) {
            let silence = match proven(unit, answer, effects)? {
                Ok(version) if version == probation.version => {
                    if let Some(service) = self.owners.get_mut(unit) {
                        *service = OwnersService {
                            answered: true,
                            told: std::mem::take(&mut service.told),
                            ..OwnersService::default()
                        };
                    }
                    continue;
                }
                Ok(version) => return Ok(Health::Unwell(format!("{unit} says {version}"))),
                Err(silence) => silence,
            };
            // what failed is said here; the error may say so, too, and knows why
            let error = &silence.source;
            let cause = error.source().map(ToString::to_string);
            let cause = cause.unwrap_or_else(|| error.to_string());
            let why = format!("{unit} does not answer: {cause}");
            if let Some(service) = self.owners.get_mut(unit) {
                match silence.look(unit, &mut service.inquiry, effects)? {
                    Some(Evidence::Silent(time)) if time >= limits.patience => {
                        return Ok(Health::Unwell(why));
                    }
                    evidence => service.take(unit, evidence, report),
                }
            } else if has_ended_by_itself(&effects.systemd.unit(unit)?) {
                // it may have ended while it was asked
                return Ok(Health::Unwell(format!("{unit} exited")));
            } else {
                missing = Some(why);
            }
        }
        let now = effects.clock.monotonic();
        if waiting {
            self.begun = now;
        }
        match self.health(missing, now, limits) {
            Health::Well if waiting => Ok(Health::Waiting),
            health => Ok(health),
        }
    }

    fn health(&mut self, missing: Option<String>, now: Duration, limits: &RescueLimits) -> Health {
        let is_settled = |service: &OwnersService| service.answered || service.outside.is_some();
        let over = now.saturating_sub(self.begun) >= limits.probation;
        match missing {
            None if over && self.owners.values().all(is_settled) => return Health::Passed,
            None => self.well_at = now,
            Some(why) if now.saturating_sub(self.well_at) >= limits.patience => {
                return Health::Unwell(why);
            }
            Some(_) => {}
        }
        Health::Well
    }
}

impl OwnersService {
    /// What shows that its program exited, when something does.
    fn ended(
        &mut self,
        unit: &UnitName,
        effects: &Effects<'_>,
        report: &mut dyn Report,
    ) -> Result<Option<String>, ToolkitError> {
        let service = effects.systemd.unit(unit)?.service;
        if service.is_none_or(|service| service.main_pid != 0) {
            return Ok(None);
        }
        let evidence = inquire(unit, false, &mut self.inquiry, effects)?;
        if let Some(Evidence::Failed(why)) = evidence {
            return Ok(Some(why));
        }
        self.take(unit, evidence, report);
        Ok(None)
    }

    /// Takes note of a start that its owner holds up. A start that merely takes long is systemd's to
    /// end.
    fn starting(
        &mut self,
        unit: &UnitName,
        facts: &UnitFacts,
        effects: &Effects<'_>,
        report: &mut dyn Report,
    ) -> Result<(), ToolkitError> {
        let main_pid = facts.service.as_ref().map_or(0, |service| service.main_pid);
        let process = effects.processes.facts(main_pid);
        if process.is_some_and(|process| process.stopped) {
            let evidence = inquire(unit, false, &mut self.inquiry, effects)?;
            self.take(unit, evidence, report);
        }
        Ok(())
    }

    /// Keeps, and tells once, what keeps it from answering.
    fn take(&mut self, unit: &UnitName, evidence: Option<Evidence>, report: &mut dyn Report) {
        if let Some(Evidence::Outside(why)) = evidence {
            if self.told.insert(why.clone()) {
                report.event(&Event::NotHeldAgainst { unit, why: &why });
            }
            self.outside = Some(why);
        }
    }
}

/// systemd counts from zero whenever somebody starts or restarts a service.
fn has_ended_by_itself(facts: &UnitFacts) -> bool {
    let service = facts.service.as_ref();
    service.is_some_and(|service| service.restarts > 0)
}
