//! The ticking guest: built from `tests/guest/ticker.S` with the C compiler that Rust links with.

use std::path::PathBuf;
use std::process::Command;

use fs_err as fs;

use super::{Result, command, firecracker, place};

/// The guest's kernel, a static ELF file; built when its source has changed.
pub fn ticker() -> Result<PathBuf> {
    build("ticker", &[])
}

/// The same guest, which shuts down by itself after 40 ticks, which are 2 s.
pub fn short_lived() -> Result<PathBuf> {
    build("short-lived", &["-Wa,--defsym,LAST_TICK=40"])
}

fn build(name: &str, options: &[&str]) -> Result<PathBuf> {
    let source = place::workspace().join("tests/guest/ticker.S");
    let key: String = firecracker::sha256(&fs::read(&source)?)
        .chars()
        .take(12)
        .collect();
    place::cached(&format!("{name}-{key}.elf"), |part| {
        command::run(
            Command::new("cc")
                .args(["-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x1000000"])
                .args(options)
                .args([
                    "-Wl,--build-id=none",
                    "-Wl,-z,noexecstack",
                    "-x",
                    "assembler",
                    "-o",
                ])
                .arg(part)
                .arg(&source),
        )?
        .ok()?;
        Ok(())
    })
}
