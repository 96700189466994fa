//! What the clients of a product notice while its services are replaced.
//!
//! Guarantees: no operation fails by a measurement, and none waits for one: it runs beside the operation,
//! and a request that is still under way when it ends is not waited for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::effect::BoxError;
use crate::plan::{Plan, Step};
use crate::report::{Event, Report};

/// The pause between two requests.
const PAUSE: Duration = Duration::from_millis(5);

/// One client of the product. Implemented by the product, of which the toolkit does not know what it is
/// asked and where.
pub trait Probe: Send + Sync {
    /// Makes one request in the way that clients do, and returns when it was answered. It must not leave
    /// anything open that a service waits for when it is told to end, and must have a bound.
    ///
    /// # Errors
    /// The request brought no good answer.
    fn ask(&self) -> Result<(), BoxError>;
}

/// How requests fared that were made one after the other, all the time from before the first step that
/// touches a unit until the new services had passed their health checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waits {
    /// The requests that were made.
    pub requests: u64,
    /// Those that brought no good answer.
    pub failed: u64,
    /// What was said of the first of them.
    pub first_failure: Option<String>,
    /// The longest that one of them took, whatever it brought.
    pub longest: Duration,
}

#[derive(Debug, Default)]
struct Tally {
    waits: Waits,
    /// When the request that is under way was made.
    since: Option<Instant>,
}

impl Tally {
    fn answered(&mut self, took: Duration, answer: Result<(), BoxError>) {
        self.since = None;
        self.waits.longest = self.waits.longest.max(took);
        if let Err(error) = answer {
            self.waits.failed += 1;
            let first = &mut self.waits.first_failure;
            first.get_or_insert_with(|| error.to_string());
        }
    }

    /// As of now: one that is under way has taken as long as this already.
    fn waits(&self) -> Waits {
        let under_way = self.since.map(|since| since.elapsed());
        Waits {
            longest: self.waits.longest.max(under_way.unwrap_or_default()),
            ..self.waits.clone()
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    ended: AtomicBool,
    tally: Mutex<Tally>,
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask_until_ended(&self, probe: &dyn Probe) {
        while !self.ended.load(Ordering::Acquire) {
            let begun = Instant::now();
            let mut tally = self.tally();
            tally.waits.requests += 1;
            tally.since = Some(begun);
            drop(tally);
            let answer = probe.ask();
            self.tally().answered(begun.elapsed(), answer);
            std::thread::sleep(PAUSE);
        }
    }
}

/// A client that asks, until this is dropped.
#[derive(Debug)]
struct Measurement(Arc<Shared>);

impl Measurement {
    /// None where no thread can be had: that fails no operation.
    fn begin(probe: &Arc<dyn Probe>) -> Option<Self> {
        let shared = Arc::new(Shared::default());
        let (asking, probe) = (Arc::clone(&shared), Arc::clone(probe));
        // not joined: it ends when its request does
        let thread = std::thread::Builder::new().name("probe".into());
        let begun = thread.spawn(move || asking.ask_until_ended(probe.as_ref()));
        begun.ok().map(|_| Self(shared))
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

/// Passes on what an operation tells, and measures while it works on units.
pub(super) struct Measured<'a> {
    report: &'a mut dyn Report,
    probe: Option<&'a Arc<dyn Probe>>,
    running: Option<Measurement>,
    waits: Option<Waits>,
}

impl<'a> Measured<'a> {
    /// Nothing is measured where a plan replaces no service.
    pub(super) fn new(
        plan: &Plan,
        probe: Option<&'a Arc<dyn Probe>>,
        report: &'a mut dyn Report,
    ) -> Self {
        let mut steps = plan.steps.iter();
        let replaces = steps.any(|planned| ends_it(&planned.step));
        Self {
            report,
            probe: probe.filter(|_| replaces),
            running: None,
            waits: None,
        }
    }

    /// What was measured, if anything was.
    pub(super) fn waits(self) -> Option<Waits> {
        self.waits
    }
}

const fn ends_it(step: &Step) -> bool {
    matches!(step, Step::CheckHealth(_))
}

impl Report for Measured<'_> {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::StepStarted { step, .. } if step.touches_units() => {
                if let Some(probe) = self.probe.take() {
                    self.running = Measurement::begin(probe);
                }
            }
            Event::StepDone { step, .. } if ends_it(step) => {
                let running = self.running.take();
                self.waits = running.map(|running| running.0.tally().waits());
            }
            _ => {}
        }
        self.report.event(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_and_the_longest_wait_is_kept_whatever_it_brought() {
        let mut tally = Tally::default();
        let milliseconds = Duration::from_millis;
        tally.answered(milliseconds(3), Ok(()));
        tally.answered(milliseconds(70), Err("closed".into()));
        tally.answered(milliseconds(9), Err("late".into()));
        let waits = tally.waits();
        assert_eq!(waits.failed, 2);
        assert_eq!(waits.first_failure.as_deref(), Some("closed"));
        assert_eq!(waits.longest, milliseconds(70));
    }

    #[test]
    fn a_request_that_is_still_under_way_has_waited_until_now() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(3));
        let tally = Tally {
            since: Some(long_ago.unwrap()),
            ..Tally::default()
        };
        assert!(tally.waits().longest >= Duration::from_secs(3));
    }
}
