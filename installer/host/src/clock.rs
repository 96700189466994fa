use std::time::Duration;

use jiff::Timestamp;

/// The time, and waiting.
pub trait Clock {
    /// Now, by the wall clock.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
    /// Lets time pass between two looks at the same thing.
    fn pause(&self, time: Duration);
}

/// This machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct HostClock {
    start: std::time::Instant,
}

impl Default for HostClock {
    fn default() -> Self {
        Self {
            start: std::time::Instant::now(),
        }
    }
}

impl Clock for HostClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
