//! Unit files as text: rendered from templates, and read back.
//!
//! Guarantees: a value from outside that reaches a unit file arrives in systemd as exactly that
//! value. Each one is escaped by the rules of systemd.syntax(7) and systemd.unit(5) ("Specifiers"),
//! the finished file is parsed again, and the value found in it is compared with the value that was
//! to be written. What systemd's syntax cannot carry is refused, never bent.

mod escape;
mod parse;
mod render;

pub use parse::{Directive, ParseError, UnitFile, parse, words};
pub use render::{RenderError, Values, render};
