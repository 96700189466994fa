//! The ticking guest: built from `tests/guest/ticker.S` with the C compiler that Rust links with.

use std::path::PathBuf;
use std::process::Command;

use fs_err as fs;

use super::{Result, command, firecracker, place};

/// The guest's kernel, a static ELF file; built when its source has changed.
pub fn ticker() -> Result<PathBuf> {
    ticker_with("")
}

/// The same with a symbol that makes it misbehave, `NAME=VALUE` of those that its source explains;
/// none for an empty one.
pub fn ticker_with(symbol: &str) -> Result<PathBuf> {
    let source = place::workspace().join("tests/guest/ticker.S");
    let key: String = firecracker::sha256(&fs::read(&source)?)
        .chars()
        .take(12)
        .collect();
    let symbols = (!symbol.is_empty()).then(|| format!("-Wa,--defsym,{symbol}"));
    place::cached(&format!("ticker-{key}{symbol}.elf"), |part| {
        command::run(
            Command::new("cc")
                .args(["-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x1000000"])
                .args([
                    "-Wl,--build-id=none",
                    "-Wl,-z,noexecstack",
                    "-x",
                    "assembler",
                ])
                .args(symbols)
                .arg("-o")
                .arg(part)
                .arg(&source),
        )?
        .ok()?;
        Ok(())
    })
}
