//! A throwaway host: real systemd as PID 1, D-Bus, journald and cgroup v2, in one expression:
//! `Host::new().user("alice").build()?`.
//!
//! Guarantees: a host that is handed out has booted; no two share a control group, a network or a
//! file; it goes without a trace when it is dropped, and one whose program was killed goes when the
//! next host is made. Its processes are ended through its own control group, never by name.
//!
//! The root is an overlay over [`super::root::base`]. `/run`, `/tmp` and `/dev/shm` are file systems
//! that only the host's processes see; [`Host::live_path`] reaches them too.

mod boot;
mod builder;
mod cgroup;
mod ground;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

pub use builder::HostBuilder;

use super::command::{self, Output};
use super::{Error, Result, firecracker};
use ground::Ground;

/// A booted throwaway host.
#[derive(Debug)]
pub struct Host {
    // Dropped in this order: first everything that runs, then what it stood on.
    machine: boot::Machine,
    ground: Ground,
}

impl Host {
    /// Describes a host; [`HostBuilder::build`] boots it.
    #[allow(
        clippy::new_ret_no_self,
        reason = "a test reads `Host::new().user(..).build()`"
    )]
    pub fn new() -> HostBuilder {
        HostBuilder::default()
    }

    /// The machine's name, unique among the hosts that stand.
    pub fn name(&self) -> &str {
        self.ground.name()
    }

    /// The pid of the host's PID 1, as this machine counts.
    pub fn leader(&self) -> u32 {
        self.machine.leader()
    }

    /// Where the host's `path` lies on this machine, in the overlay. Not for `/run`, `/tmp`,
    /// `/dev`, `/proc` and `/sys`: see [`Host::live_path`].
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        beneath(self.ground.root(), path.as_ref())
    }

    /// Where the host's `path` lies on this machine as its PID 1 sees it, mounts included.
    pub fn live_path(&self, path: impl AsRef<Path>) -> PathBuf {
        beneath(
            Path::new(&format!("/proc/{}/root", self.leader())),
            path.as_ref(),
        )
    }

    /// A command to be run in the host as root, with a fresh environment, in `/`. Its signals do
    /// not reach the program inside: end that by its input, or with `kill` in the host.
    pub fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        self.command_as("root", words)
    }

    /// As [`Host::command`], as a user of the host.
    pub fn command_as<S: AsRef<OsStr>>(
        &self,
        user: &str,
        words: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = self.enter(&["--all"]);
        command
            .args(["setpriv", "--reset-env", "--init-groups"])
            .args([
                format!("--reuid={user}"),
                format!("--regid={user}"),
                "--".to_owned(),
            ])
            .args(words);
        command
    }

    /// A command of this machine (its files, its user) in the host's network: a server on the
    /// host's loopback, say.
    pub fn command_in_network<S: AsRef<OsStr>>(
        &self,
        words: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = self.enter(&["--net"]);
        command.args(words);
        command
    }

    /// nsenter(1), itself in the host's control group, so that nothing outlives the host.
    fn enter(&self, namespaces: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "echo $$ >\"$0\" && exec nsenter \"$@\""])
            .arg(self.machine.cgroup().commands())
            .arg(format!("--target={}", self.leader()))
            .args(namespaces);
        command
    }

    /// Runs a command as root to its end.
    pub fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Result<Output> {
        command::run(&mut self.command(words))
    }

    /// Runs a command as a user of the host to its end.
    pub fn run_as<S: AsRef<OsStr>>(
        &self,
        user: &str,
        words: impl IntoIterator<Item = S>,
    ) -> Result<Output> {
        command::run(&mut self.command_as(user, words))
    }

    /// Runs a line of shell as root to its end.
    pub fn shell(&self, line: &str) -> Result<Output> {
        self.run(["/bin/sh", "-c", line])
    }

    /// Writes a file of the overlay, root's, 0644, with its folders.
    pub fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) -> Result<()> {
        let place = self.path(path);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(place, text)?)
    }

    /// Copies a file of this machine into the overlay, with its mode.
    pub fn copy(&self, from: &Path, to: impl AsRef<Path>) -> Result<()> {
        let place = self.path(to);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(from, place)?;
        Ok(())
    }

    /// Installs `firecracker` and `jailer` in the host's `/usr/local/bin`.
    pub fn install_firecracker(&self) -> Result<()> {
        install_firecracker(&|path| self.path(path))
    }

    /// The journal since the boot, messages alone; of one unit, or of all.
    pub fn journal(&self, unit: Option<&str>) -> Result<String> {
        let mut words = vec![
            "journalctl",
            "--no-pager",
            "--boot",
            "--output=cat",
            "--quiet",
        ];
        // What PID 1 says about a unit bears the unit in another field than what it says itself;
        // `--unit` covers both.
        words.extend(unit.iter().flat_map(|unit| ["--unit", unit]));
        self.run(words)?.ok()
    }

    /// A property of a unit, as systemd reports it.
    pub fn property(&self, unit: &str, property: &str) -> Result<String> {
        self.run(["systemctl", "show", "--value", "--property", property, unit])?
            .ok()
    }

    /// The real pids in the control group of a unit, as this machine counts.
    pub fn pids_of(&self, unit: &str) -> Result<Vec<u32>> {
        let group = self.property(unit, "ControlGroup")?;
        if group.is_empty() {
            return Ok(Vec::new());
        }
        self.machine.cgroup().pids_beneath(&group)
    }

    /// The pid on this machine of the process that the host calls `pid`.
    pub fn outer_pid(&self, pid: u32) -> Result<u32> {
        self.machine.outer_pid(pid)
    }
}

fn beneath(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn install_firecracker(place: &dyn Fn(&str) -> PathBuf) -> Result<()> {
    let programs = firecracker::fetch()?;
    for (name, from) in [
        ("firecracker", programs.firecracker),
        ("jailer", programs.jailer),
    ] {
        let to = place(&format!("/usr/local/bin/{name}"));
        fs::copy(&from, &to)
            .map_err(|error| Error::io(format!("install {}", to.display()))(error))?;
    }
    Ok(())
}
