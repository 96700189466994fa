//! Tools of cargo that the release tool runs, pinned, and kept with the bench's other things.

use std::path::PathBuf;

use super::{Result, command, place, programs};

/// The folder of cargo-cyclonedx, in the version that the release tool names; built when missing.
pub fn cyclonedx() -> Result<PathBuf> {
    let tool = banger_release::SBOM_TOOL;
    place::cached(&tool.replace('@', "-"), |part| {
        let mut cargo = programs::cargo();
        cargo
            .args(["install", "--quiet", "--locked", "--debug", tool, "--root"])
            .arg(part);
        command::run(&mut cargo)?.ok()?;
        Ok(())
    })
}
