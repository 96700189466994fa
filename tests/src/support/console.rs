//! What a ticking guest's console proves.
//!
//! Guarantees: a [`Ticks`] exists only for a log in which every whole line of the guest carries the
//! same nonce and the number after the one before: the guest never stopped, started anew or lost
//! its memory. [`Watch`] measures how long it was silent, from outside the host.

use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fs_err::File;

use super::{Error, Result, command};

/// How often the watcher looks; the error of a measured hole.
const LOOK: Duration = Duration::from_millis(2);

/// An unbroken series of ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticks {
    /// Made by the guest at its start.
    pub nonce: String,
    /// The first number seen.
    pub first: u64,
    /// The last number seen.
    pub last: u64,
}

impl Ticks {
    /// Reads a console log. Lines that are not the guest's (Firecracker's own) are passed over, and
    /// so is what follows the last line's end.
    pub fn parse(log: &str) -> Result<Self, BrokenTicks> {
        let mut series: Option<Self> = None;
        for line in whole_lines(log) {
            let Some((nonce, number)) = tick(line) else {
                continue;
            };
            match &mut series {
                None => {
                    series = Some(Self {
                        nonce: nonce.to_owned(),
                        first: number,
                        last: number,
                    });
                }
                Some(series) => series.extend(nonce, number)?,
            }
        }
        series.ok_or(BrokenTicks::None)
    }

    fn extend(&mut self, nonce: &str, number: u64) -> Result<(), BrokenTicks> {
        if nonce != self.nonce {
            return Err(BrokenTicks::Nonce {
                was: self.nonce.clone(),
                is: nonce.to_owned(),
            });
        }
        if Some(number) != self.last.checked_add(1) {
            return Err(BrokenTicks::Number {
                last: self.last,
                next: number,
            });
        }
        self.last = number;
        Ok(())
    }
}

/// Why a log does not prove that one guest ran on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenTicks {
    /// No tick at all.
    #[error("the guest printed no tick")]
    None,
    /// Another nonce: the guest was started anew.
    #[error("the guest's nonce was {was} and is {is}: it was started anew")]
    Nonce {
        /// Before.
        was: String,
        /// After.
        is: String,
    },
    /// A number out of turn.
    #[error("tick {next} follows tick {last}")]
    Number {
        /// The last good number.
        last: u64,
        /// The number after it.
        next: u64,
    },
}

fn whole_lines(log: &str) -> impl Iterator<Item = &str> {
    log.split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
}

fn tick(line: &str) -> Option<(&str, u64)> {
    let (nonce, number) = line
        .trim_end_matches('\r')
        .strip_prefix("tick ")?
        .split_once(' ')?;
    let hex = nonce.len() == 16 && nonce.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((nonce, number.parse().ok()?)).filter(|_| hex)
}

/// Reads the log of a guest until it has ticked `count` times more than now (1: once at least).
pub fn wait_for_ticks(log: &Path, count: u64) -> Result<Ticks> {
    let target = read(log).map_or(0, |ticks| ticks.last) + count;
    command::wait_for(&format!("tick {target} in {}", log.display()), 20, || {
        let ticks = read(log).map_err(|error| super::chain(&error))?;
        if ticks.last >= target {
            Ok(ticks)
        } else {
            Err(format!("tick {}", ticks.last))
        }
    })
}

/// Reads the log of a guest as it is now.
pub fn read(log: &Path) -> Result<Ticks> {
    let bytes = fs_err::read(log)?;
    Ticks::parse(&String::from_utf8_lossy(&bytes))
        .map_err(|error| Error::Wrong(format!("{}: {error}", log.display())))
}

/// A thread that notes when each tick reaches the console log.
#[derive(Debug)]
pub struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<Result<Duration>>>,
}

impl Watch {
    /// Starts to watch; ticks that are in the log already do not count.
    pub fn start(log: &Path) -> Result<Self> {
        let log = log.to_owned();
        let mut file = File::open(&log)?;
        file.read_to_end(&mut Vec::new())?;
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || longest_hole(file, &log, &stopped));
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Ends the watch. Gives the longest time in which no tick arrived, the time from the last one
    /// to now included: a guest that stopped has a hole that grows.
    pub fn longest_hole(mut self) -> Result<Duration> {
        drop(self.stop.take());
        let thread = self
            .thread
            .take()
            .ok_or_else(|| Error::Wrong("watch ended twice".into()))?;
        thread
            .join()
            .map_err(|_| Error::Wrong("the watching thread panicked".into()))?
    }
}

fn longest_hole(mut file: File, log: &Path, stop: &Receiver<()>) -> Result<Duration> {
    let mut silence = Silence::since(Instant::now());
    let mut buffer = Vec::new();
    loop {
        let ended = stop.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout);
        buffer.clear();
        file.read_to_end(&mut buffer)
            .map_err(Error::io(format!("read {}", log.display())))?;
        if ended || buffer.contains(&b'\n') {
            silence.broken(Instant::now());
        }
        if ended {
            return Ok(silence.longest);
        }
    }
}

/// The longest silence so far.
#[derive(Debug)]
struct Silence {
    longest: Duration,
    since: Instant,
}

impl Silence {
    fn since(now: Instant) -> Self {
        Self {
            longest: Duration::ZERO,
            since: now,
        }
    }

    fn broken(&mut self, now: Instant) {
        self.longest = self.longest.max(now.saturating_duration_since(self.since));
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "0123456789abcdef";

    #[test]
    fn an_unbroken_series_is_read_around_other_lines_and_an_unfinished_one() {
        let log =
            format!("2026 Running Firecracker\ntick {NONCE} 7\ntick {NONCE} 8\ntick {NONCE} 9");
        let expected = Ticks {
            nonce: NONCE.to_owned(),
            first: 7,
            last: 8,
        };
        assert_eq!(Ticks::parse(&log), Ok(expected));
    }

    #[test]
    fn a_missing_number_a_repeated_one_and_a_new_nonce_break_the_series() {
        let series = |numbers: &[u64]| {
            let lines = numbers
                .iter()
                .map(|number| format!("tick {NONCE} {number}\n"));
            lines.collect::<Vec<_>>().concat()
        };
        let out_of_turn = |last, next| Err(BrokenTicks::Number { last, next });
        assert_eq!(Ticks::parse(&series(&[1, 2, 4])), out_of_turn(2, 4));
        assert_eq!(Ticks::parse(&series(&[1, 1])), out_of_turn(1, 1));
        let anew = format!("{}tick fedcba9876543210 2\n", series(&[1]));
        assert!(matches!(
            Ticks::parse(&anew),
            Err(BrokenTicks::Nonce { .. })
        ));
        assert_eq!(Ticks::parse("no tick here\n"), Err(BrokenTicks::None));
    }

    #[test]
    fn the_longest_silence_counts_wherever_it_lies() {
        let start = Instant::now();
        let longest = |arrivals: &[u64]| {
            let mut silence = Silence::since(start);
            for arrival in arrivals {
                silence.broken(start + Duration::from_millis(*arrival));
            }
            silence.longest
        };
        let expected = Duration::from_millis(70);
        assert_eq!(longest(&[70, 120, 170]), expected, "at the start");
        assert_eq!(longest(&[50, 120, 170]), expected, "in the middle");
        assert_eq!(longest(&[50, 100, 170]), expected, "at the end");
    }

    #[test]
    fn a_watch_ends_with_the_log_of_a_guest_that_stopped() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let watch = Watch::start(log.path()).unwrap();
        let hole = watch.longest_hole().unwrap();
        assert!(hole > Duration::ZERO, "{hole:?}");
    }
}
