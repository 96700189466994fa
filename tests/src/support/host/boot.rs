//! Booting a host and ending it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use fs_err as fs;
use fs_err::File;

use super::cgroup::ControlGroup;
use super::ground::Ground;
use crate::support::{Error, Result, command, process};

/// How long a boot may take, in seconds. About three are seen.
const BOOT_SECONDS: u64 = 60;

/// The running machine: systemd-nspawn and all that is in it.
#[derive(Debug)]
pub(super) struct Machine {
    cgroup: ControlGroup,
    devices: Vec<&'static str>,
    nspawn: Child,
    leader: u32,
}

impl Machine {
    /// Boots the host on `ground` and waits until systemd says that it runs.
    pub(super) fn boot(ground: &Ground, devices: Vec<&'static str>) -> Result<Self> {
        let cgroup = ControlGroup::of(ground.name())?;
        cgroup.create()?;
        let nspawn = nspawn(ground, &cgroup, &devices)?;
        // From here on, dropping the machine ends it.
        let mut machine = Self {
            cgroup,
            devices,
            nspawn,
            leader: 0,
        };
        machine.leader = machine.find_leader(&ground.console())?;
        Ok(machine)
    }

    /// Ends all that runs, without a word to anybody, and boots anew.
    pub(super) fn boot_again(&mut self, ground: &Ground) -> Result<()> {
        self.cgroup.kill()?;
        self.nspawn
            .wait()
            .map_err(Error::io("wait for systemd-nspawn"))?;
        self.cgroup.create()?;
        self.nspawn = nspawn(ground, &self.cgroup, &self.devices)?;
        self.leader = self.find_leader(&ground.console())?;
        Ok(())
    }

    pub(super) fn leader(&self) -> u32 {
        self.leader
    }

    pub(super) fn cgroup(&self) -> &ControlGroup {
        &self.cgroup
    }

    /// The one child of systemd-nspawn, once it has become the host's PID 1.
    fn find_leader(&mut self, console: &Path) -> Result<u32> {
        let pid = self.nspawn.id();
        command::wait_for("the host's PID 1", BOOT_SECONDS, || {
            let said = || fs::read_to_string(console).unwrap_or_default();
            if let Ok(Some(status)) = self.nspawn.try_wait() {
                return Err(format!("systemd-nspawn ended with {status}: {}", said()));
            }
            process::children(pid)
                .into_iter()
                .find(|child| command_name(*child).as_deref() == Some("systemd"))
                .ok_or_else(said)
        })
    }

    /// The pid here of the process that the host calls `inner` (`NSpid` of `proc_pid_status(5)`).
    pub(super) fn outer_pid(&self, inner: u32) -> Result<u32> {
        self.cgroup
            .pids()?
            .into_iter()
            .find(|pid| namespaced_pid(*pid) == Some(inner))
            .ok_or_else(|| Error::Wrong(format!("no process {inner} in the host")))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // A host that cannot be ended now is swept by the next run, which reports its error.
        let _ = self.cgroup.kill();
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
    }
}

/// Starts systemd-nspawn in the host's own control group.
fn nspawn(ground: &Ground, cgroup: &ControlGroup, devices: &[&str]) -> Result<Child> {
    let console = File::create(ground.console())?;
    let errors = console.try_clone()?;
    let mut command = Command::new("/bin/sh");
    // The last argument but the words of nspawn is how many entrances come first.
    command.args(["-c", ENTER_AND_RUN, "sh"]);
    command
        .args(cgroup.entrances())
        .arg("--")
        .arg("systemd-nspawn");
    command.arg("--directory").arg(ground.root());
    command.arg(format!("--machine={}", ground.name()));
    command.args([
        "--quiet",
        "--boot",
        "--register=no",
        "--keep-unit",
        "--private-network",
    ]);
    command.args([
        "--console=pipe",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
    ]);
    // the host's own systemd enforces DevicePolicy= and IPAddressDeny= by it (bpf(2)); without, it
    // passes over them in silence
    command.arg("--system-call-filter=bpf");
    command.args(devices.iter().map(|device| format!("--bind={device}")));
    command
        .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::from(console.into_file()))
        .stderr(Stdio::from(errors.into_file()))
        .spawn()
        .map_err(Error::io("start systemd-nspawn"))
}

/// Joins each control group named before `--`, then becomes what is named after it.
const ENTER_AND_RUN: &str = r#"
while [ "$1" != -- ]; do echo $$ >"$1" || exit 125; shift; done
shift; exec "$@""#;

fn command_name(pid: u32) -> Option<String> {
    Some(
        fs::read_to_string(format!("/proc/{pid}/comm"))
            .ok()?
            .trim_end()
            .to_owned(),
    )
}

/// The pid in the innermost pid namespace but those that guests' jails add: the second number.
fn namespaced_pid(pid: u32) -> Option<u32> {
    // a process's name, the first line, may hold anything
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}
