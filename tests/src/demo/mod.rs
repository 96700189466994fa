//! The demo: guests run, the software under them is replaced, and nothing happens to them.
//!
//! Guarantees: it says "passed" only for what it measured itself, from outside the host: processes
//! by pid and start time, guests by what they print, the API by a client of its own.

mod report;
mod scene;
mod screen;

use std::io::BufRead as _;

use report::Facts;
use screen::Screen;

/// What the demo is asked for.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Keep the host until Enter is pressed, to look around in it
    #[arg(long)]
    pub keep: bool,
}

/// Plays the whole scene. `true`: every guest lives, the updates went as they should and no request
/// failed.
pub fn run(options: &Options) -> bool {
    let screen = Screen::new();
    screen.line("banger demo: three guests, a good update, a broken one\n");
    let passed = match scene::play(&screen, options) {
        Ok(facts) => conclude(&screen, &facts),
        Err(error) => {
            screen.error(&crate::support::chain(&error));
            false
        }
    };
    screen.total();
    passed
}

fn conclude(screen: &Screen, facts: &Facts) -> bool {
    screen.line("");
    for line in report::table(facts) {
        screen.line(&line);
    }
    let problems = report::problems(facts);
    screen.line("");
    for problem in &problems {
        screen.bad(problem);
    }
    if problems.is_empty() {
        screen.good("Every guest lived through both updates, and no request failed.");
    }
    problems.is_empty()
}

fn wait_for_enter() {
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
}
