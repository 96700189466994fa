//! A line per step, with the time that it took. Colour marks state, and goes without a terminal or
//! with `NO_COLOR`.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use anstyle::{AnsiColor, Style};

use crate::support::Result;

const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BAD: Style = Style::new()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)))
    .bold();
const FAINT: Style = Style::new().dimmed();

#[derive(Debug)]
pub(super) struct Screen {
    start: Instant,
    terminal: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            terminal: std::io::stdout().is_terminal(),
        }
    }

    /// Does a step and says how it went: `detail` makes a few words of its result.
    pub(super) fn step<T>(
        &self,
        what: &str,
        act: impl FnOnce() -> Result<T>,
        detail: impl FnOnce(&T) -> String,
    ) -> Result<T> {
        if self.terminal {
            let mut out = anstream::stdout();
            let _ = write!(out, "  {FAINT}·{FAINT:#} {what}");
            let _ = out.flush();
        }
        let start = Instant::now();
        let result = act();
        let (style, mark, words) = match &result {
            Ok(value) => (GOOD, "✓", detail(value)),
            Err(_) => (BAD, "✗", String::new()),
        };
        let seconds = start.elapsed().as_secs_f64();
        let again = if self.terminal { "\r\x1b[K" } else { "" };
        self.line(&format!(
            "{again}  {style}{mark}{style:#} {what:<38} {seconds:>5.1} s   {words}"
        ));
        result
    }

    /// One line.
    #[allow(clippy::unused_self, reason = "whoever prints must hold the screen")]
    pub(super) fn line(&self, text: &str) {
        // A reader that went away (`| head`) is no error.
        let _ = writeln!(anstream::stdout(), "{text}");
    }

    pub(super) fn good(&self, text: &str) {
        self.line(&format!("{GOOD}passed{GOOD:#}  {text}"));
    }

    pub(super) fn bad(&self, text: &str) {
        self.line(&format!("{BAD}failed{BAD:#}  {text}"));
    }

    pub(super) fn error(&self, text: &str) {
        self.line(&format!("\n{BAD}error:{BAD:#} {text}"));
    }

    pub(super) fn total(&self) {
        let seconds = self.start.elapsed().as_secs_f64();
        self.line(&format!("{FAINT}The demo took {seconds:.1} s.{FAINT:#}"));
    }
}
