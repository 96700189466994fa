//! The description of a host.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

use super::boot::Machine;
use super::ground::Ground;
use super::{Host, install_firecracker};
use crate::support::{Error, Result, command, fake};

/// What a host is to be like. A plain one has KVM, tun, D-Bus and Firecracker.
#[derive(Debug, Clone)]
pub struct HostBuilder {
    users: Vec<User>,
    kvm: bool,
    dbus: bool,
    vmm: Vmm,
    mounted: Vec<String>,
    packages: Vec<&'static str>,
}

/// What is installed as `firecracker`, with a jailer beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vmm {
    None,
    Firecracker,
    Fake,
}

#[derive(Debug, Clone)]
struct User {
    name: String,
    home: PathBuf,
}

impl Default for HostBuilder {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            kvm: true,
            dbus: true,
            vmm: Vmm::Firecracker,
            mounted: Vec::new(),
            packages: Vec::new(),
        }
    }
}

impl HostBuilder {
    /// A user with the home `/home/NAME`.
    #[must_use]
    pub fn user(self, name: &str) -> Self {
        self.user_at(name, format!("/home/{name}"))
    }

    /// A user with a home of any name.
    #[must_use]
    pub fn user_at(mut self, name: &str, home: impl Into<PathBuf>) -> Self {
        self.users.push(User {
            name: name.to_owned(),
            home: home.into(),
        });
        self
    }

    /// A host without `/dev/kvm`.
    #[must_use]
    pub fn without_kvm(mut self) -> Self {
        self.kvm = false;
        self
    }

    /// A host without a D-Bus daemon.
    #[must_use]
    pub fn without_dbus(mut self) -> Self {
        self.dbus = false;
        self
    }

    /// A host without Firecracker and jailer.
    #[must_use]
    pub fn without_firecracker(mut self) -> Self {
        self.vmm = Vmm::None;
        self
    }

    /// A host whose `firecracker` is the bench's own, which misbehaves as its kernel file says
    /// ([`crate::support::fake`]). The jailer is the real one.
    #[must_use]
    pub fn fake_vmm(mut self) -> Self {
        self.vmm = Vmm::Fake;
        self
    }

    /// Folders that are file systems of their own, an outer one before those in it. Each begins with
    /// what the root has there.
    #[must_use]
    pub fn mounted(mut self, folders: &[&str]) -> Self {
        self.mounted = folders.iter().map(|folder| (*folder).to_owned()).collect();
        self
    }

    /// More of Debian's packages. The root with them is built once, beside the base; services that they
    /// bring under their own names are masked.
    #[must_use]
    pub fn packages(mut self, packages: &[&'static str]) -> Self {
        self.packages = packages.to_vec();
        self
    }

    /// Boots the host; gives it when systemd reports `running`.
    pub fn build(self) -> Result<Host> {
        let mut devices = vec!["/dev/net/tun"];
        devices.extend(self.kvm.then_some("/dev/kvm"));
        for device in &devices {
            if !Path::new(device).exists() {
                return Err(Error::Lacking(format!("this machine has no {device}")));
            }
        }
        let ground = Ground::prepare(&self.packages)?;
        self.furnish(ground.root())?;
        for folder in &self.mounted {
            ground.mount_own(folder)?;
        }
        let machine = Machine::boot(&ground, devices)?;
        let host = Host { machine, ground };
        host.wait_until_running()?;
        Ok(host)
    }

    /// Everything that is in the root before the boot.
    fn furnish(&self, root: &Path) -> Result<()> {
        let place = |path: &str| super::beneath(root, Path::new(path));
        // With an id of its own the host is no first boot, and no other's twin.
        let id = fs::read_to_string("/proc/sys/kernel/random/uuid")?.replace('-', "");
        fs::write(place("/etc/machine-id"), id)?;
        fs::write(place("/etc/hostname"), "bench\n")?;
        fs::write(
            place("/etc/hosts"),
            "127.0.0.1 localhost bench\n::1 localhost\n",
        )?;
        if self.vmm != Vmm::None {
            install_firecracker(&place)?;
        }
        if self.vmm == Vmm::Fake {
            fs::copy(fake::vmm()?, place("/usr/local/bin/firecracker"))?;
        }
        if !self.dbus {
            // logind cannot live without a bus, and the host would count as degraded
            for unit in ["dbus.service", "dbus.socket", "systemd-logind.service"] {
                let mask = place(&format!("/etc/systemd/system/{unit}"));
                fs::os::unix::fs::symlink("/dev/null", mask)?;
            }
        }
        self.users.iter().try_for_each(|user| user.add(root))
    }
}

impl User {
    fn add(&self, root: &Path) -> Result<()> {
        command::run(
            Command::new("useradd")
                .arg("--root")
                .arg(root)
                .args([
                    "--create-home",
                    "--shell",
                    "/bin/bash",
                    "--user-group",
                    "--home-dir",
                ])
                .arg(&self.home)
                .arg(&self.name),
        )?
        .ok()?;
        Ok(())
    }
}

impl Host {
    /// Takes the host's power and boots it again on the same disk; `/run`, `/tmp` and `/dev/shm` are
    /// new. Gives it when systemd reports `running`.
    pub fn reboot(&mut self) -> Result<()> {
        self.machine.boot_again(&self.ground)?;
        self.wait_until_running()
    }

    fn wait_until_running(&self) -> Result<()> {
        command::wait_for("a running system", 60, || {
            let state = self
                .run(["systemctl", "is-system-running"])
                .map_or_else(|error| error.to_string(), |output| output.stdout);
            match state.trim() {
                "running" => Ok(()),
                state => Err(format!("{state}\n{}", self.what_is_wrong())),
            }
        })
    }

    fn what_is_wrong(&self) -> String {
        let console = fs::read_to_string(self.ground.console()).unwrap_or_default();
        let failed = self
            .run([
                "systemctl",
                "list-units",
                "--failed",
                "--no-legend",
                "--plain",
            ])
            .map(|output| output.stdout)
            .unwrap_or_default();
        format!("{failed}{console}")
    }
}
