//! The base root: a minimal Debian 12 with systemd, made by mmdebstrap once and never written to
//! again; every host is an overlay over it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Result, command, firecracker, place};

/// What a host has beyond Debian's essential packages. A change here makes a new root.
const PACKAGES: &[&str] = &[
    "systemd",
    "systemd-sysv",
    "dbus",
    "procps",
    "iproute2",
    "strace",
];

const SUITE: &str = "bookworm";

/// The base root; built when it is not cached (about a minute).
pub fn base() -> Result<PathBuf> {
    let list = format!("{SUITE} {}", PACKAGES.join(","));
    let key: String = firecracker::sha256(list.as_bytes())
        .chars()
        .take(12)
        .collect();
    place::cached(&format!("root-{key}"), build)
}

fn build(part: &Path) -> Result<()> {
    command::run(
        Command::new("mmdebstrap")
            .args([
                "--quiet",
                "--variant=minbase",
                "--mode=root",
                "--format=directory",
            ])
            .arg(format!("--include={}", PACKAGES.join(",")))
            .args(["--aptopt=Acquire::Languages \"none\"", SUITE])
            .arg(part),
    )?
    .ok()?;
    Ok(())
}
