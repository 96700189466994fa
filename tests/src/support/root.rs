//! The base root: a minimal Debian with systemd, 12 unless [`SUITE`] names another, made by mmdebstrap
//! once and never written to again; every host is an overlay over it.
//!
//! Guarantees: nothing of the distribution's runs by the clock. Each of its timers is masked, so what
//! a host does depends on the test alone, at every hour of the day.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

use super::{Error, Result, command, firecracker, place};

/// What a host has beyond Debian's essential packages. A change here makes a new root.
const PACKAGES: &[&str] = &[
    "systemd",
    "systemd-sysv",
    "dbus",
    "procps",
    "iproute2",
    "strace",
];

/// Names another release of Debian for the hosts: `trixie` has systemd 257.
pub const SUITE: &str = "BANGER_BENCH_SUITE";

/// The oldest release that banger supports: systemd 252.
const OLDEST: &str = "bookworm";

/// What is done to the root after the packages, for its key.
const FINISH: &str = "timers masked and wanted by nothing";

/// Where Debian's packages have their units (`systemd.unit(5)`), beneath the root.
const UNITS: &str = "usr/lib/systemd/system";

/// The base root; built when it is not cached (about a minute).
pub fn base() -> Result<PathBuf> {
    with(&[])
}

/// A root with more of Debian's packages, for a test of its own: the base stays as it is.
pub fn with(extra: &[&str]) -> Result<PathBuf> {
    let packages = [PACKAGES, extra].concat();
    let list = format!("{} {} {FINISH}", suite(), packages.join(","));
    let key: String = firecracker::sha256(list.as_bytes())
        .chars()
        .take(12)
        .collect();
    place::cached(&format!("root-{key}"), |part| build(part, &packages, extra))
}

fn suite() -> String {
    std::env::var(SUITE).unwrap_or_else(|_| OLDEST.to_owned())
}

fn build(part: &Path, packages: &[&str], extra: &[&str]) -> Result<()> {
    command::run(
        Command::new("mmdebstrap")
            .args([
                "--quiet",
                "--variant=minbase",
                "--mode=root",
                "--format=directory",
            ])
            .arg(format!("--include={}", packages.join(",")))
            .args(["--aptopt=Acquire::Languages \"none\"", &suite()])
            .arg(part),
    )?
    .ok()?;
    mask_services(part, extra)?;
    mask_timers(part)
}

/// Masks the services that packages bring under their own names: a test starts what it needs.
fn mask_services(root: &Path, packages: &[&str]) -> Result<()> {
    for package in packages {
        let name = format!("{package}.service");
        if root.join(UNITS).join(&name).exists() {
            let mask = root.join("etc/systemd/system").join(name);
            fs::os::unix::fs::symlink("/dev/null", mask)?;
        }
    }
    Ok(())
}

/// The timers that the distribution brought, by name: those that it enables, and those that it does
/// not.
pub fn timers(root: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(root.join(UNITS))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name)
            .extension()
            .is_some_and(|kind| kind == "timer")
        {
            names.insert(name);
        }
    }
    Ok(names)
}

/// Masks every timer, which holds whoever starts it, and takes away what wants one, so that none is
/// even loaded.
fn mask_timers(root: &Path) -> Result<()> {
    let names = timers(root)?;
    if names.is_empty() {
        return Err(Error::Wrong(format!(
            "no timers in {UNITS} of the new root: they must lie elsewhere, and would run"
        )));
    }
    let local = root.join("etc/systemd/system");
    for units in [&root.join(UNITS), &local] {
        place::remove(&units.join("timers.target.wants"))?;
    }
    for name in names {
        fs::os::unix::fs::symlink("/dev/null", local.join(name))?;
    }
    Ok(())
}
