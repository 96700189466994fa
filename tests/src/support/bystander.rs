//! Processes that an attack, or a mistake, could take for a guest's, and that nobody may end.

use banger_installer::model::ProcessIdentity;

use super::{Error, Host, Result, command, process};

/// Such a process.
#[derive(Debug, Clone)]
pub struct Bystander {
    /// What it is, for messages.
    pub what: String,
    identity: ProcessIdentity,
}

impl Bystander {
    /// Starts process `number` of a host's: of a user (a name or a number), known to the kernel by
    /// `name`, with the id of a VM among its arguments as a jailed Firecracker has it.
    pub fn start(host: &Host, number: usize, user: &str, name: &str, id: &str) -> Result<Self> {
        // a copy of a program, so that the kernel knows it by that name
        let folder = format!("/opt/bystander-{number}");
        let unit = format!("bystander-{number}.service");
        let line = format!(
            "mkdir -p {folder} && cp /bin/bash {folder}/{name} && systemd-run --quiet --unit={unit} \
             -- setpriv --reuid={user} --regid={user} --clear-groups -- {folder}/{name} -c 'while :; do read -t 3600 <> <(:); done' \
             /firecracker --id {id} --api-sock /firecracker.socket"
        );
        host.shell(&line)?.ok()?;
        let pid = host.property(&unit, "MainPID")?;
        let comm = format!("cat /proc/{pid}/comm");
        command::wait_for(&format!("{name} of {user}"), 20, || {
            let found = host.shell(&comm).map_err(|error| error.to_string())?;
            (found.stdout.trim() == name)
                .then_some(())
                .ok_or_else(|| found.text())
        })?;
        let pid = pid
            .parse()
            .map_err(|_| Error::Wrong(format!("{unit} has the main process {pid:?}")))?;
        Self::watch(host, format!("{name} of {user}"), pid)
    }

    /// A process of a host that somebody else started.
    pub fn watch(host: &Host, what: impl Into<String>, pid: u32) -> Result<Self> {
        let what = what.into();
        let identity = process::identify(host.outer_pid(pid)?)?
            .ok_or_else(|| Error::Wrong(format!("{what} has ended")))?;
        Ok(Self { what, identity })
    }

    /// Whether it lives.
    pub fn lives(&self) -> Result<bool> {
        Ok(process::identify(self.identity.pid)? == Some(self.identity))
    }
}

/// The most memory that a process of this machine has had in RAM, in KiB (`VmHWM` of
/// `proc_pid_status(5)`).
pub fn peak_kib(pid: u32) -> Result<u64> {
    let status = fs_err::read_to_string(format!("/proc/{pid}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|line| line.split_ascii_whitespace().next()?.parse().ok())
        .ok_or_else(|| Error::Wrong(format!("process {pid} has no peak of memory")))
}
