//! An attacker of each kind at once, for as long as one likes, and what must not change
//! meanwhile.
//!
//! Two hosts: on one the owner, her guests, a stranger and a mirror misbehave while root restarts,
//! updates and rolls back; on the other the VMM itself is the attacker. Guarantees: what it reports is
//! measured from outside the hosts.

mod attackers;
mod ground;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ground::Ground;

use crate::support::Result;

/// The most memory that a helper may ever have in RAM, in KiB.
pub const MOST_KIB: u64 = 64 * 1024;

/// Between two looks at the helpers and the guests.
const LOOK: Duration = Duration::from_secs(1);

/// What an attacker came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rounds {
    /// Who it is.
    pub attacker: &'static str,
    /// How often it did all it can.
    pub count: u64,
}

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// How long the attackers were at work, in seconds.
    pub seconds: u64,
    /// What each came to.
    pub rounds: Vec<Rounds>,
    /// The most memory that either helper had in RAM, in KiB.
    pub peak_kib: u64,
    /// Guests and bystanders that were watched.
    pub watched: usize,
    /// What should not be: a guest that changed, a bystander that ended, a helper that died.
    pub wrong: Vec<String>,
}

impl Figures {
    /// Whether everything held, and every attacker was at work.
    pub fn passed(&self) -> bool {
        self.wrong.is_empty()
            && self.peak_kib < MOST_KIB
            && self.rounds.iter().all(|rounds| rounds.count > 0)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} s under attack", self.seconds)?;
        for Rounds { attacker, count } in &self.rounds {
            writeln!(formatter, "  {attacker:<28} {count:>6} rounds")?;
        }
        writeln!(
            formatter,
            "  {:<28} {:>6} KiB of {MOST_KIB}",
            "the helper's peak", self.peak_kib
        )?;
        writeln!(
            formatter,
            "  {:<28} {:>6}",
            "guests and bystanders", self.watched
        )?;
        for line in &self.wrong {
            writeln!(formatter, "  WRONG: {line}")?;
        }
        let word = if self.passed() {
            "nothing changed that must not"
        } else {
            "FAILED"
        };
        write!(formatter, "  {word}")
    }
}

/// Runs every attacker for `duration`, then lets each end what it began, and looks at what is left.
///
/// # Errors
/// When the hosts cannot be made; what goes wrong on them is among the figures.
pub fn run(duration: Duration) -> Result<Figures> {
    let guests = Ground::with_guests()?;
    let vmm = Ground::with_fake_vmm()?;
    let over = AtomicBool::new(false);
    let mut figures = Figures::default();
    let begun = Instant::now();
    std::thread::scope(|threads| {
        let at_work: Vec<_> = attackers::ALL
            .into_iter()
            .map(|attacker| {
                let ground = if attacker.on_fake_vmm { &vmm } else { &guests };
                let over = &over;
                threads.spawn(move || attacker.work(ground, over))
            })
            .collect();
        while begun.elapsed() < duration && figures.wrong.is_empty() {
            std::thread::sleep(LOOK);
            for ground in [&guests, &vmm] {
                figures.look_at(ground);
            }
        }
        figures.seconds = begun.elapsed().as_secs();
        over.store(true, Ordering::SeqCst);
        for worker in at_work {
            match worker.join() {
                Ok((rounds, wrong)) => {
                    figures.rounds.push(rounds);
                    figures.wrong.extend(wrong);
                }
                Err(_) => figures.wrong.push("an attacker panicked".into()),
            }
        }
    });
    for ground in [&guests, &vmm] {
        figures.look_at(ground);
        figures.watched += ground.watched();
        figures.wrong.extend(ground.check_at_the_end());
    }
    Ok(figures)
}

impl Figures {
    fn look_at(&mut self, ground: &Ground) {
        let (peak, wrong) = ground.look();
        self.peak_kib = self.peak_kib.max(peak);
        self.wrong.extend(wrong);
    }
}
