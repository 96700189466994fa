//! Lines on a terminal or in a pipe.
//!
//! Guarantees: colour marks state only and is never the only carrier of it; without a terminal, or
//! with `NO_COLOR` set, no escape sequence is written (no-color.org); a closed pipe ends the output
//! in silence.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

/// What a piece of text says about state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth a look.
    Note,
    /// Not as it should be.
    Bad,
    /// Of second rank.
    Faint,
    /// A heading.
    Strong,
}

/// Where the program's lines go.
#[derive(Debug)]
pub struct Screen {
    terminal: bool,
    silent: bool,
}

impl Screen {
    /// Standard output as it is.
    pub fn new() -> Self {
        Self {
            terminal: std::io::stdout().is_terminal(),
            silent: false,
        }
    }

    /// One that shows nothing: where only JSON may be printed.
    pub const fn silent() -> Self {
        Self {
            terminal: false,
            silent: true,
        }
    }

    /// Whether a person looks on: then questions and progress bars are welcome.
    pub const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// The text in the colour of its tone; the stream removes the colour where it is not wanted.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        let style = match tone {
            Tone::Good => Style::new().fg_color(Some(AnsiColor::Green.into())),
            Tone::Note => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            Tone::Bad => Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
            Tone::Faint => Style::new().dimmed(),
            Tone::Strong => Style::new().bold(),
        };
        format!("{style}{text}{style:#}")
    }

    /// One line.
    pub fn line(&self, text: &str) {
        if self.silent {
            return;
        }
        // a reader that went away (`| head`) is no error
        let _ = writeln!(anstream::stdout(), "{text}");
    }

    /// A step that went well: `✓ what   detail`.
    pub fn done(&self, what: &str, detail: &str) {
        self.step(Tone::Good, "✓", what, detail);
    }

    /// A step that did not: `✗ what   detail`.
    pub fn failed(&self, what: &str, detail: &str) {
        self.step(Tone::Bad, "✗", what, detail);
    }

    /// Something taken back: `↩ what   detail`.
    pub fn back(&self, what: &str, detail: &str) {
        self.step(Tone::Note, "↩", what, detail);
    }

    /// A remark: `note  what   detail`.
    pub fn note(&self, text: &str) {
        self.line(&format!("  {}  {text}", self.paint(Tone::Note, "note")));
    }

    fn step(&self, tone: Tone, mark: &str, what: &str, detail: &str) {
        let line = format!("  {} {what:<27} {detail}", self.paint(tone, mark));
        self.line(line.trim_end());
    }

    /// Asks a yes-or-no question; anything but a no is a yes. Without a terminal on both sides the
    /// answer is yes: a script said what it wanted by calling.
    pub fn confirm(&self, question: &str) -> bool {
        if !self.terminal || !std::io::stdin().is_terminal() {
            return true;
        }
        let _ = write!(anstream::stdout(), "{question} [Y/n] ");
        let _ = std::io::stdout().flush();
        let mut answer = String::new();
        match std::io::stdin().read_line(&mut answer) {
            Ok(0) | Err(_) => false,
            Ok(_) => !matches!(answer.trim().to_ascii_lowercase().as_str(), "n" | "no"),
        }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}
