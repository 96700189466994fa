//! A host with banger on it: releases served over TLS on its loopback, an installed version, guests.

use std::path::PathBuf;

use banger_installer::model::ProcessIdentity;
use banger_release::Packed;
use fs_err as fs;
use serde::Deserialize;

use super::command::Output;
use super::releases::Releases;
use super::server::{self, Server};
use super::{Error, Host, Result, console, guest, process};

/// Who owns the guests.
pub const OWNER: &str = "alice";
const KERNEL: &str = "/home/alice/ticker.elf";

/// A host that can update from its own release server.
#[derive(Debug)]
pub struct Stage {
    /// The host.
    pub host: Host,
    /// What the server serves.
    pub releases: Releases,
    _server: Server,
}

/// A VM as `vm list --json` shows it; other fields are the business of other tests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Vm {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: String,
    /// Its process, as the host counts.
    pub pid: Option<u32>,
}

/// A guest that ticks, and what must not change about it.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// Its pid as the host counts.
    pub pid: u32,
    /// Its process as this machine counts.
    pub identity: ProcessIdentity,
    /// Its nonce.
    pub nonce: String,
    /// Its console log on this machine.
    pub console: PathBuf,
}

impl Stage {
    /// Boots a host for [`OWNER`], serves `releases` in it, and tells banger of the source and the
    /// key.
    pub fn new(releases: Releases) -> Result<Self> {
        let host = Host::new().user(OWNER).build()?;
        Self::on(host, releases)
    }

    /// The same with a sound release of that version installed.
    pub fn installed(version: &str) -> Result<Self> {
        Self::installed_on(Host::new().user(OWNER).build()?, version)
    }

    /// The same with a guest of the name `web`, which has ticked.
    pub fn with_guest(version: &str) -> Result<(Self, Guest)> {
        let stage = Self::installed(version)?;
        let guest = stage.run_guest("web")?;
        Ok((stage, guest))
    }

    /// The same as [`Stage::installed`] on a host that stands, with the releases that it serves.
    pub fn installed_on(host: Host, version: &str) -> Result<Self> {
        let releases = Releases::new()?;
        let release = releases.sound(version)?;
        let stage = Self::on(host, releases)?;
        stage.install(&release)?.ok()?;
        Ok(stage)
    }

    /// Makes a sound release of that version the newest that is served.
    pub fn publish(&self, version: &str) -> Result<Packed> {
        let release = self.releases.sound(version)?;
        self.releases.publish(&release)?;
        Ok(release)
    }

    /// The same as [`Stage::new`] on a host that stands.
    pub fn on(host: Host, releases: Releases) -> Result<Self> {
        let server = Server::start(&host, &releases.public())?;
        host.write(
            "/etc/banger/config.toml",
            format!("[update]\nsource = \"{}/manifest.json\"\n", server::URL),
        )?;
        host.write(
            "/etc/banger/keys.d/bench.pub",
            fs::read(releases.public_key())?,
        )?;
        host.copy(&guest::ticker()?, KERNEL)?;
        Ok(Self {
            host,
            releases,
            _server: server,
        })
    }

    /// Unpacks a release in the host, as a person would, and gives the folder.
    pub fn unpack(&self, release: &Packed) -> Result<String> {
        let folder = format!("/root/banger-{}", release.manifest.version);
        let archive = format!("{folder}.tar.gz");
        self.host.copy(&release.archive, &archive)?;
        self.host.run(["mkdir", "-p", &folder])?.ok()?;
        self.host
            .run(["tar", "-xzf", &archive, "-C", &folder])?
            .ok()?;
        Ok(folder)
    }

    /// Installs a release from its unpacked archive.
    pub fn install(&self, release: &Packed) -> Result<Output> {
        let banger = format!("{}/bin/banger", self.unpack(release)?);
        self.host
            .run([banger.as_str(), "system", "install", "--owner", OWNER])
    }

    /// `banger ...` as root.
    pub fn banger(&self, words: &[&str]) -> Result<Output> {
        self.host.run([&["/usr/local/bin/banger"], words].concat())
    }

    /// `banger ...` as the owner.
    pub fn banger_as_owner(&self, words: &[&str]) -> Result<Output> {
        self.host
            .run_as(OWNER, [&["/usr/local/bin/banger"], words].concat())
    }

    /// Runs a guest; gives it when it has ticked.
    pub fn run_guest(&self, name: &str) -> Result<Guest> {
        self.run_guest_of(name, KERNEL)
    }

    /// The same with another kernel that ticks, a file of the host.
    pub fn run_guest_of(&self, name: &str, kernel: &str) -> Result<Guest> {
        let run = self.banger_as_owner(&["vm", "run", name, "--kernel", kernel])?;
        if !run.success() {
            return Err(Error::Wrong(format!("{}\n{}", run.text(), self.logs())));
        }
        let guest = self.find_guest(name)?;
        console::wait_for_ticks(&guest.console, 5)?;
        Ok(guest)
    }

    /// The last lines of every log that may tell why a guest did not start.
    fn logs(&self) -> String {
        let line = "tail -n 20 /var/lib/banger-root/vms/*/*.log; \
                    journalctl --no-pager --quiet --lines=20 --unit='bangerd*'";
        self.host
            .shell(line)
            .map_or_else(|error| error.to_string(), |output| output.text())
    }

    /// A running guest as it is now.
    pub fn find_guest(&self, name: &str) -> Result<Guest> {
        let vm = self.vm(name)?;
        let pid = vm
            .pid
            .ok_or_else(|| Error::Wrong(format!("{name} has no pid: {vm:?}")))?;
        let identity = process::identify(self.host.outer_pid(pid)?)?
            .ok_or_else(|| Error::Wrong(format!("the process of {name} is gone")))?;
        let console = self
            .host
            .path(format!("/var/lib/banger-root/vms/{}/console.log", vm.id));
        let nonce = console::wait_for_ticks(&console, 0)?.nonce;
        Ok(Guest {
            name: name.to_owned(),
            pid,
            identity,
            nonce,
            console,
        })
    }

    /// A VM as the list shows it.
    pub fn vm(&self, name: &str) -> Result<Vm> {
        let vms = self.vms()?;
        let found = vms.iter().find(|vm| vm.name == name).cloned();
        found.ok_or_else(|| Error::Wrong(format!("no {name} in {vms:?}")))
    }

    /// `banger vm list --json`.
    pub fn vms(&self) -> Result<Vec<Vm>> {
        let list = self.banger_as_owner(&["vm", "list", "--json"])?.ok()?;
        serde_json::from_str(&list)
            .map_err(|error| Error::Wrong(format!("`vm list --json`: {error}\n{list}")))
    }

    /// Checks that a guest never stopped: the same process, which goes on ticking in one series, and
    /// which the list shows as running.
    pub fn check_untouched(&self, guest: &Guest) -> Result<()> {
        console::wait_for_ticks(&guest.console, 3)?;
        let now = self.find_guest(&guest.name)?;
        let state = self.vm(&guest.name)?.state;
        let same = now.identity == guest.identity && now.nonce == guest.nonce;
        if same && state == "running" {
            return Ok(());
        }
        Err(Error::Wrong(format!(
            "{} was {guest:?}, is {now:?}, {state}",
            guest.name
        )))
    }
}
