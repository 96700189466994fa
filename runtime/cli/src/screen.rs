//! Lines on a terminal or in a pipe.
//!
//! Guarantees: no text steers the terminal that it is written to, whoever it is from: what a line is
//! made of is made printable here, and colour is what [`Screen::paint`] put in alone. Colour marks
//! state only and is never the only carrier of it; without a terminal, or with `NO_COLOR` set, no
//! escape sequence is written (no-color.org); a closed pipe ends the output in silence.

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
    /// Marks what was painted: a number that no text from outside can know.
    nonce: u64,
}

/// What begins a mark of [`Screen::paint`]: a noncharacter, which no text has for anything else
/// (Unicode Standard, 23.7).
const MARK: char = '\u{fdd0}';

/// The digits of a mark: the nonce, and the tone.
const DIGITS: usize = 17;

/// Every tone, in the order of their digits.
const TONES: [Tone; 5] = [Tone::Good, Tone::Note, Tone::Bad, Tone::Faint, Tone::Strong];

/// The digit that ends a tone.
const PLAIN: usize = 9;

fn a_nonce() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    // seeded by the kernel, once a process
    let hasher = std::collections::hash_map::RandomState::new();
    hasher.build_hasher().finish()
}

/// What a terminal shows for a character: one that it would obey is replaced.
pub(super) fn shown(glyph: char) -> char {
    match glyph {
        '\t' => glyph,
        _ if glyph.is_control() => '\u{fffd}',
        // marks that turn the direction of writing: Unicode Standard Annex 9; and ends of lines
        '\u{061c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{fdd0}'..='\u{fdef}' => '\u{fffd}',
        _ => glyph,
    }
}

impl Screen {
    /// Standard output as it is.
    pub fn new() -> Self {
        Self {
            terminal: std::io::stdout().is_terminal(),
            silent: false,
            nonce: a_nonce(),
        }
    }

    /// One that shows nothing: where only JSON may be printed.
    pub fn silent() -> Self {
        Self {
            terminal: false,
            silent: true,
            nonce: a_nonce(),
        }
    }

    /// Whether a person looks on: then questions and progress bars are welcome.
    pub const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// The text in the colour of its tone, once it is written by [`Screen::line`]; the stream removes
    /// the colour where it is not wanted.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        let digit = TONES.iter().position(|other| *other == tone);
        let mark = |digit: usize| format!("{MARK}{:016x}{digit}", self.nonce);
        format!("{}{text}{}", mark(digit.unwrap_or(PLAIN)), mark(PLAIN))
    }

    /// One line, with what line breaks stand before and behind it.
    pub fn line(&self, text: &str) {
        if self.silent {
            return;
        }
        let inner = text.trim_matches('\n');
        let (before, after) = match text.find(inner) {
            Some(at) => (at, text.len() - at - inner.len()),
            None => (0, 0),
        };
        let breaks = |count: usize| "\n".repeat(count);
        let line = self.printable(inner, |glyph| glyph == '\n');
        // a reader that went away (`| head`) is no error
        let _ = writeln!(
            anstream::stdout(),
            "{}{line}{}",
            breaks(before),
            breaks(after)
        );
    }

    /// What is for programs, say JSON: as it is.
    pub fn raw(&self, text: &str) {
        if !self.silent {
            let _ = writeln!(anstream::stdout(), "{text}");
        }
    }

    /// Lines on standard error. What is wrong may take several.
    pub(super) fn problem(&self, text: &str) {
        let text = self.printable(text, |_| false);
        // nobody is left to tell when standard error is closed
        let _ = anstream::stderr().write_all(text.as_bytes());
    }

    /// A text in which only what was painted steers the terminal, and only its colour. Line breaks are
    /// kept but where they are `unwanted`.
    fn printable(&self, text: &str, unwanted: impl Fn(char) -> bool) -> String {
        let mut printable = String::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(glyph) = rest.next() {
            match glyph {
                MARK => {
                    let ahead = rest.as_str();
                    let digits = ahead.get(..DIGITS).unwrap_or_default();
                    if let Some(style) = self.style(digits) {
                        printable.push_str(&style);
                        rest = ahead.get(DIGITS..).unwrap_or_default().chars();
                    } else {
                        printable.push(shown(glyph));
                    }
                }
                '\n' if !unwanted(glyph) => printable.push(glyph),
                _ => printable.push(shown(glyph)),
            }
        }
        printable
    }

    /// The sequence that a mark stands for (ECMA-48, SGR).
    fn style(&self, digits: &str) -> Option<String> {
        let tone = digits.strip_prefix(&format!("{:016x}", self.nonce))?;
        let tone: usize = tone.parse().ok()?;
        if tone == PLAIN {
            return Some(format!("{}", anstyle::Reset));
        }
        let style = match TONES.get(tone)? {
            Tone::Good => Style::new().fg_color(Some(AnsiColor::Green.into())),
            Tone::Note => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            Tone::Bad => Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
            Tone::Faint => Style::new().dimmed(),
            Tone::Strong => Style::new().bold(),
        };
        Some(style.to_string())
    }

    /// A step that went well: `✓ what   detail`.
    pub fn done(&self, what: &str, detail: &str) {
        self.step(Tone::Good, "✓", what, detail);
    }

    /// A step that did not: `✗ what   detail`.
    pub fn failed(&self, what: &str, detail: &str) {
        self.step(Tone::Bad, "✗", what, detail);
    }

    /// Something rolled back: `↩ what   detail`.
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
        let answer = self.ask(question, "[Y/n]");
        answer.is_some_and(|answer| !matches!(answer.as_str(), "n" | "no"))
    }

    /// Asks a question to which anything but a yes is a no; none without a terminal on both sides,
    /// where there is nobody to ask.
    pub(super) fn confirm_danger(&self, question: &str) -> Option<bool> {
        if !self.terminal || !std::io::stdin().is_terminal() {
            return None;
        }
        let answer = self.ask(question, "[y/N]");
        Some(answer.is_some_and(|answer| matches!(answer.as_str(), "y" | "yes")))
    }

    /// The answer in lower case; none when the input ended.
    fn ask(&self, question: &str, answers: &str) -> Option<String> {
        let question = self.printable(question, |glyph| glyph == '\n');
        let _ = write!(anstream::stdout(), "{question} {answers} ");
        let _ = std::io::stdout().flush();
        let mut answer = String::new();
        match std::io::stdin().read_line(&mut answer) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(answer.trim().to_ascii_lowercase()),
        }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_steers_no_terminal_and_is_one_line() {
        let screen = Screen::silent();
        let evil = "a\u{1b}[2Jb\u{7}c\u{9b}31md\u{202e}e\u{2066}f\r\n  ✓ healthy\u{fdd0}0";
        let line = screen.printable(evil, |glyph| glyph == '\n');
        assert_eq!(
            line,
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}31md\u{fffd}e\u{fffd}f\u{fffd}\u{fffd}  ✓ healthy\u{fffd}0"
        );
    }

    #[test]
    fn only_what_was_painted_here_has_colour() {
        let screen = Screen::silent();
        let painted = screen.paint(Tone::Bad, "gone\u{1b}[0m");
        let line = screen.printable(&painted, |_| false);
        assert_eq!(line, "\u{1b}[1m\u{1b}[31mgone\u{fffd}[0m\u{1b}[0m");
        // another's marks are text
        let other = Screen {
            nonce: screen.nonce.wrapping_add(1),
            ..Screen::silent()
        };
        let line = other.printable(&painted, |_| false);
        assert!(
            !line.contains('\u{1b}') && line.contains('\u{fffd}'),
            "{line}"
        );
    }
}
