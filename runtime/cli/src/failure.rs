//! How an error is shown: what failed, why, and what to type.
//!
//! Guarantees: a cause is printed once, however errors nest; the exit code follows from the kind;
//! what came from outside into a message steers no terminal.

use std::error::Error;
use std::fmt::Write as _;

use banger_installer::error_kind::ErrorKind;

use super::screen::{Screen, Tone, shown};

/// An error on its way to the user.
#[derive(Debug)]
pub struct Failure {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    kind: ErrorKind,
}

impl Failure {
    /// From an error, its hint and its kind. The chain of sources becomes the causes; one that only
    /// repeats what stands before it is left out.
    pub fn new(error: &(dyn Error + 'static), hint: Option<String>, kind: ErrorKind) -> Self {
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            let last = causes.last().unwrap_or(&message);
            if !last.contains(&text) {
                causes.push(text);
            }
            source = cause.source();
        }
        Self {
            message: printable(&message),
            causes: causes.iter().map(|cause| printable(cause)).collect(),
            hint: hint.map(|hint| printable(&hint)),
            kind,
        }
    }

    /// A failure of the command line itself.
    pub fn plain(message: impl Into<String>, hint: Option<String>, kind: ErrorKind) -> Self {
        Self {
            message: printable(&message.into()),
            causes: Vec::new(),
            hint: hint.map(|hint| printable(&hint)),
            kind,
        }
    }

    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        self.kind.exit_code()
    }

    /// Prints it to standard error.
    pub fn print(&self, screen: &Screen) {
        let mut text = format!("{} {}\n", screen.paint(Tone::Bad, "error:"), self.message);
        for cause in &self.causes {
            let _ = writeln!(text, "  cause: {cause}");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "  hint:  {hint}");
        }
        screen.problem(&text);
    }
}

/// The longest line of an error, in characters; the rest says nothing new.
const LINE: usize = 1000;

/// A text without the characters that a terminal obeys, and not without end: an archive's header or
/// a server's answer may stand in it.
pub(super) fn printable(text: &str) -> String {
    let cut = if text.chars().nth(LINE).is_some() {
        " ..."
    } else {
        ""
    };
    let shown = |glyph: char| if glyph == '\n' { glyph } else { shown(glyph) };
    text.chars()
        .take(LINE)
        .map(shown)
        .chain(cut.chars())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_from_outside_steers_no_terminal() {
        let text = "cannot read \u{1b}[2J\u{7}x\u{202e}y\nnext";
        let failure = Failure::plain(text, None, ErrorKind::Other);
        assert_eq!(
            failure.message,
            "cannot read \u{fffd}[2J\u{fffd}x\u{fffd}y\nnext"
        );
        let long = printable(&"x".repeat(5000));
        assert!(
            long.len() < 1010 && long.ends_with(" ..."),
            "{}",
            long.len()
        );
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read {name}")]
    struct Outer {
        name: &'static str,
        #[source]
        source: Inner,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Inner(&'static str);

    #[test]
    fn each_cause_stands_once() {
        let error = Outer {
            name: "a",
            source: Inner("no such file"),
        };
        let failure = Failure::new(&error, None, ErrorKind::Other);
        assert_eq!(failure.causes, ["no such file"]);
        let repeated = Outer {
            name: "no such file",
            source: Inner("no such file"),
        };
        assert!(
            Failure::new(&repeated, None, ErrorKind::Other)
                .causes
                .is_empty()
        );
    }
}
