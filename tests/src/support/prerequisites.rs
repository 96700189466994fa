//! What the bench needs of the machine it runs on.
//!
//! Guarantees: on Debian, as root, missing packages are installed, and a line says so; elsewhere
//! they are named and nothing is changed. A facility that no package brings (`/dev/kvm`) is an error
//! unless the environment allows it to be missing by name, and then it is named all the same.

use std::fmt;
use std::path::Path;
use std::process::Command;

use super::{Error, Result, command};

/// Names facilities that may be missing, separated by commas: `BANGER_ALLOW_MISSING=kvm`.
pub const ALLOW_MISSING: &str = "BANGER_ALLOW_MISSING";

/// A program and the Debian package that brings it.
const PROGRAMS: &[(&str, &str)] = &[
    ("apparmor_parser", "apparmor"),
    ("busybox", "busybox"),
    ("cc", "gcc"),
    ("curl", "curl"),
    ("dash", "dash"),
    ("git", "git"),
    ("mandoc", "mandoc"),
    ("minisign", "minisign"),
    ("mmdebstrap", "mmdebstrap"),
    ("mount", "mount"),
    ("nsenter", "util-linux"),
    ("pip3", "python3-pip"),
    ("python3", "python3"),
    ("shellcheck", "shellcheck"),
    ("strace", "strace"),
    ("systemd-analyze", "systemd"),
    ("systemd-nspawn", "systemd-container"),
    ("useradd", "passwd"),
    ("wget", "wget"),
];

/// A file without which the bench cannot show what it is for.
const FACILITIES: &[(&str, &str)] = &[("kvm", "/dev/kvm"), ("tun", "/dev/net/tun")];

/// What was found and done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Packages that were installed just now.
    pub installed: Vec<&'static str>,
    /// Facilities that are missing and allowed to be.
    pub missing: Vec<&'static str>,
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.installed.as_slice() {
            [] => formatter.write_str("all there")?,
            installed => write!(formatter, "installed {}", installed.join(" "))?,
        }
        match self.missing.as_slice() {
            [] => Ok(()),
            missing => write!(formatter, "; MISSING, as allowed: {}", missing.join(" ")),
        }
    }
}

/// Looks for everything, installs what it may, and names what it may not.
pub fn ensure() -> Result<Found> {
    let allowed = std::env::var(ALLOW_MISSING).unwrap_or_default();
    let there = |path: &str| Path::new(path).exists();
    let missing = check_facilities(there, &allowed).map_err(Error::Lacking)?;
    let lacking = lacking_packages(is_program);
    if lacking.is_empty() {
        return Ok(Found {
            installed: lacking,
            missing,
        });
    }
    may_install(&lacking)?;
    apt_get(&["update"])?;
    apt_get(
        &[
            &["install", "--yes", "--no-install-recommends"],
            lacking.as_slice(),
        ]
        .concat(),
    )?;
    Ok(Found {
        installed: lacking,
        missing,
    })
}

/// Facilities that are missing and allowed to be; an error names the first that is not.
fn check_facilities(
    there: impl Fn(&str) -> bool,
    allowed: &str,
) -> Result<Vec<&'static str>, String> {
    let mut missing = Vec::new();
    for (name, path) in FACILITIES {
        if there(path) {
            continue;
        }
        if !allowed.split(',').any(|word| word.trim() == *name) {
            return Err(format!(
                "this machine has no {path}; to go without what needs it: {ALLOW_MISSING}={name}"
            ));
        }
        missing.push(*name);
    }
    Ok(missing)
}

fn lacking_packages(there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let lacking = PROGRAMS.iter().filter(|(program, _)| !there(program));
    lacking.map(|(_, package)| *package).collect()
}

/// systemd-nspawn and its like lie in folders that a plain user's path may leave out.
fn is_program(name: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/usr/bin", "/sbin", "/bin"])
        .any(|folder| Path::new(folder).join(name).is_file())
}

fn may_install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !Path::new("/etc/debian_version").exists() {
        return Err(Error::Lacking(format!(
            "this machine lacks what Debian has in the packages: {list}"
        )));
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Error::Lacking(format!(
            "packages are missing; type: sudo apt-get install {list}"
        )));
    }
    Ok(())
}

fn apt_get(words: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .arg("--quiet")
        .args(words)
        .env("DEBIAN_FRONTEND", "noninteractive");
    command::run(&mut command)?.ok()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_facility_is_an_error_unless_it_is_allowed_by_name() {
        let without_kvm = |path: &str| path != "/dev/kvm";
        assert_eq!(check_facilities(|_| true, ""), Ok(vec![]));
        let refused = check_facilities(without_kvm, "tun").unwrap_err();
        assert!(refused.contains("/dev/kvm") && refused.contains("BANGER_ALLOW_MISSING=kvm"));
        assert_eq!(check_facilities(without_kvm, "tun, kvm"), Ok(vec!["kvm"]));
    }

    #[test]
    fn a_missing_program_becomes_its_package() {
        assert_eq!(lacking_packages(|_| true), Vec::<&str>::new());
        assert_eq!(lacking_packages(|name| name != "nsenter"), ["util-linux"]);
    }
}
