//! Unit files as text: rendered from templates, and read back.
//!
//! Guarantees: a value from outside that reaches a unit file arrives in systemd as exactly that
//! value. Each one is escaped by the rules of systemd.syntax(7) and systemd.unit(5) ("Specifiers"),
//! the finished file is parsed again, and the value found in it is compared with the value that was
//! to be written. What systemd's syntax cannot carry is refused, never bent.
//!
//! ```
//! use banger_installer_systemd::unit::{Values, parse, render, words};
//!
//! let template = "[Service]\nReadOnlyPaths=\"@home@\"\n";
//! let home = r#"/home/50% "a\b""#;
//! let text = render(template, &Values::new().with("home", home))?;
//! assert_eq!(text, "[Service]\nReadOnlyPaths=\"/home/50%% \\\"a\\\\b\\\"\"\n");
//!
//! // what a newline would add is no setting of its own
//! let sly = Values::new().with("home", "/home/a\"\nExecStartPre=/bin/true");
//! assert!(render(template, &sly).is_err());
//!
//! let unit = parse(&text)?;
//! let value = unit.values("Service", "ReadOnlyPaths");
//! assert_eq!(words(value[0])?, [r#"/home/50% "a\b""#]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod escape;
mod parse;
mod render;

pub use parse::{Directive, ParseError, UnitFile, parse, words};
pub use render::{RenderError, Values, render};
