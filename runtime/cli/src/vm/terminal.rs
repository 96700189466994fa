//! A guest's console on a person's terminal.
//!
//! Guarantees: of what a guest writes, a terminal is given text, line breaks and tabs. Control
//! sequences (ECMA-48, 5.4 and 5.6) are left out, however they are cut into pieces; nothing that a
//! guest writes swallows more than [`LONGEST`] bytes of what follows.

use std::io::{self, Write};

use crate::screen::shown;

/// The longest control string that is waited for, in bytes.
const LONGEST: usize = 4096;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Text.
    Text,
    /// Behind ESC.
    Escape,
    /// In a control sequence: up to a byte from `@` to `~`.
    Sequence,
    /// In a control string (a title, say): up to ST or BEL.
    String,
    /// The same, behind ESC.
    StringEscape,
}

/// Writes to a terminal what is text.
pub(super) struct SafeWriter<W> {
    inner: W,
    state: State,
    /// Bytes of the sequence so far.
    length: usize,
    /// The beginning of a character that is not whole yet: at most three bytes.
    partial: Vec<u8>,
}

impl<W: Write> SafeWriter<W> {
    pub(super) const fn new(inner: W) -> Self {
        Self {
            inner,
            state: State::Text,
            length: 0,
            partial: Vec::new(),
        }
    }

    fn take(&mut self, glyph: char, text: &mut String) {
        self.length += 1;
        if self.length > LONGEST {
            self.begin(State::Text);
        }
        match (self.state, glyph) {
            // ESC and the 8-bit forms of ESC [, and of ESC P, X, ], ^ and _
            (State::Text | State::Sequence, '\u{9b}') | (State::Escape, '[') => {
                self.begin(State::Sequence);
            }
            (State::Text, '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}')
            | (State::Escape, 'P' | 'X' | ']' | '^' | '_') => self.begin(State::String),
            (State::Text | State::Escape | State::Sequence, '\u{1b}') => self.begin(State::Escape),
            (State::Text, '\n' | '\r' | '\t') => text.push(glyph),
            // a bell, a backspace and the like say nothing
            (State::Text, _) if glyph.is_control() => {}
            (State::Text, _) => text.push(shown(glyph)),
            // intermediate and parameter bytes
            (State::Escape, ' '..='/') | (State::Sequence, ' '..='?') => {}
            (State::Escape | State::Sequence, _)
            | (State::String, '\u{7}' | '\u{9c}')
            | (State::StringEscape, '\\') => self.begin(State::Text),
            (State::String, '\u{1b}') => self.state = State::StringEscape,
            (State::String | State::StringEscape, _) => self.state = State::String,
        }
    }

    const fn begin(&mut self, state: State) {
        self.state = state;
        self.length = 0;
    }
}

impl<W: Write> Write for SafeWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.partial);
        all.extend_from_slice(bytes);
        let mut text = String::new();
        for chunk in all.utf8_chunks() {
            for glyph in chunk.valid().chars() {
                self.take(glyph, &mut text);
            }
            let is_last = chunk.invalid().as_ptr_range().end == all.as_ptr_range().end;
            if is_last && is_beginning(chunk.invalid()) {
                self.partial = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                self.take('\u{fffd}', &mut text);
            }
        }
        self.inner.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Whether bytes may become a character with those that follow.
fn is_beginning(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => false,
        Err(error) => error.error_len().is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written of a log that comes in pieces of this size.
    fn written(log: &[u8], size: usize) -> String {
        let mut writer = SafeWriter::new(Vec::new());
        for piece in log.chunks(size) {
            writer.write_all(piece).unwrap();
        }
        String::from_utf8(writer.inner).unwrap()
    }

    #[test]
    fn a_guest_steers_no_terminal_however_its_words_are_cut() {
        let log = "one\u{1b}[2J\u{1b}[31;1mtwo\u{1b}]0;title\u{7}three\u{1b}]52;c;ZXZpbA==\u{1b}\\\
                   four\u{9b}6nfive\u{1b}P+q\u{1b}\\six\u{1b}(Bseven\u{8}\u{202e}ä\r\n\teight\n"
            .as_bytes();
        let expected = "onetwothreefourfivesixseven\u{fffd}ä\r\n\teight\n";
        for size in 1..=log.len() {
            assert_eq!(written(log, size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_text_is_shown_as_such_and_nothing_is_swallowed_for_ever() {
        assert_eq!(written(b"a\xffb\xc3", 1), "a\u{fffd}b");
        let endless = [b"\x1b]0;".as_slice(), &[b'x'; 10_000], b"the end"].concat();
        assert!(written(&endless, 64).ends_with("the end"));
    }
}
