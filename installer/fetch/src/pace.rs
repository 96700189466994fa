//! Whether a peer sends fast enough to be waited for.
//!
//! Guarantees: time is what the caller says it was, so a slow disk of ours is never held against a
//! peer; a peer that is let go was too slow over a whole window, not for one moment.

use std::time::Duration;

/// Counts bytes and the time that was spent waiting for them, window after window.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    least: u64,
    window: Duration,
    bytes: u64,
    waited: Duration,
}

/// A window that brought too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slow {
    /// What came.
    pub(super) bytes: u64,
    /// In how long.
    pub(super) waited: Duration,
}

impl Pace {
    /// At least `least` bytes a second, on average over each `window`.
    pub(super) const fn new(least: u64, window: Duration) -> Self {
        Self {
            least,
            window,
            bytes: 0,
            waited: Duration::ZERO,
        }
    }

    /// Takes note of bytes that came after a wait.
    pub(super) fn note(&mut self, bytes: usize, waited: Duration) -> Result<(), Slow> {
        self.bytes += bytes as u64;
        self.waited += waited;
        if self.waited < self.window {
            return Ok(());
        }
        let seen = Slow {
            bytes: self.bytes,
            waited: self.waited,
        };
        (self.bytes, self.waited) = (0, Duration::ZERO);
        let needed = u128::from(self.least) * seen.waited.as_millis() / 1000;
        if u128::from(seen.bytes) < needed {
            return Err(seen);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_trickle_is_let_go_at_the_end_of_the_window() {
        let mut pace = Pace::new(1024, 30 * SECOND);
        for _ in 0..29 {
            assert_eq!(pace.note(1, SECOND), Ok(()));
        }
        let slow = Slow {
            bytes: 30,
            waited: 30 * SECOND,
        };
        assert_eq!(pace.note(1, SECOND), Err(slow));
    }

    #[test]
    fn the_least_speed_is_enough_and_a_pause_within_a_window_is_forgiven() {
        let mut pace = Pace::new(1024, 30 * SECOND);
        for _ in 0..300 {
            assert_eq!(pace.note(1024, SECOND), Ok(()));
        }
        assert_eq!(pace.note(0, 20 * SECOND), Ok(()));
        assert_eq!(pace.note(30 * 1024, 10 * SECOND), Ok(()));
    }

    #[test]
    fn what_came_fast_before_does_not_pay_for_a_silence() {
        let mut pace = Pace::new(1024, 30 * SECOND);
        assert_eq!(pace.note(1 << 30, 30 * SECOND), Ok(()));
        assert!(pace.note(0, 30 * SECOND).is_err());
    }

    #[test]
    fn bytes_that_cost_no_waiting_are_never_slow() {
        let mut pace = Pace::new(1024, 30 * SECOND);
        for _ in 0..1000 {
            assert_eq!(pace.note(1, Duration::ZERO), Ok(()));
        }
    }
}
