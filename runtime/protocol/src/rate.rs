//! How often something may be told.

use std::time::Duration;

use tokio::time::Instant;

/// Lets through so many events in a window of time, and counts the rest.
///
/// The log is read by an administrator and kept on a disk: whoever may cause a line must not be able
/// to cause any number of them.
#[derive(Debug)]
pub(super) struct RateLimit {
    most: u32,
    window: Duration,
    since: Option<Instant>,
    told: u32,
    untold: u64,
}

impl RateLimit {
    /// `most` events per `window`.
    pub(super) const fn new(most: u32, window: Duration) -> Self {
        Self {
            most,
            window,
            since: None,
            told: 0,
            untold: 0,
        }
    }

    /// Whether an event at `now` may be told; if so, how many were not since the last that was.
    pub(super) fn pass(&mut self, now: Instant) -> Option<u64> {
        let over = |since| now.saturating_duration_since(since) >= self.window;
        if self.since.is_none_or(over) {
            self.since = Some(now);
            self.told = 0;
        }
        if self.told >= self.most {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_told_in_a_window_and_the_rest_is_counted() {
        let window = Duration::from_secs(60);
        let mut limit = RateLimit::new(2, window);
        let start = Instant::now();
        let told: Vec<_> = (0..5).map(|_| limit.pass(start)).collect();
        assert_eq!(told, [Some(0), Some(0), None, None, None]);
        assert_eq!(limit.pass(start + window), Some(3));
        assert_eq!(limit.pass(start + window), Some(0));
        assert_eq!(limit.pass(start + window), None);
    }
}
