//! What must hold for any bytes from outside, one target a file.
//!
//! Guarantees: a `check` returns for every input, and panics only where a promise of the installer
//! or of a daemon is broken; it writes nothing outside of a temporary folder of its own and contacts
//! nobody. The
//! libFuzzer programs in `fuzz/` and the test that replays their corpus call the same functions.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a check fails as tests do: the panic is the finding"
)]

pub mod api;
pub mod archive;
pub mod config;
pub mod frames;
pub mod manifest;
pub mod mutate;
pub mod receipt;
mod scratch;
pub mod signature;
pub mod unit;

use std::error::Error;

/// A check of bytes from outside.
pub type Check = fn(&[u8]);

/// Every target: its name, which is that of its program and its corpus folder, and its check.
pub const TARGETS: [(&str, Check); 8] = [
    ("manifest", manifest::check),
    ("signature", signature::check),
    ("archive", archive::check),
    ("config", config::check),
    ("receipt", receipt::check),
    ("unit", unit::check),
    ("api", api::check),
    ("frames", frames::check),
];

/// Splits off the byte that says which of `count` ways an input goes; seeds use `0`, `1` and so on.
fn way(bytes: &[u8], count: u8) -> Option<(u8, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    Some((first.wrapping_sub(b'0') % count, rest))
}

/// An error is shown with all its causes, as a user would see it; the cause never stands in the
/// message itself.
fn shown(error: &dyn Error) {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        assert!(!text.is_empty(), "an error without words: {error:?}");
        next = error.source();
        if let Some(cause) = next {
            assert!(
                !text.contains(&cause.to_string()),
                "{text:?} tells its cause, and so would be told twice"
            );
        }
    }
}
