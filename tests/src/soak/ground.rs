//! A host under attack: guests that tick, bystanders, and what is seen of them from outside.

use crate::support::bystander::{Bystander, peak_kib};
use crate::support::stage::{Guest, OWNER, Stage};
use crate::support::{Error, Host, Result, chain, fake, guest, programs};

/// The local user who has nothing to do with banger.
pub(super) const STRANGER: &str = "mallory";
pub(super) const HELPER: &str = "bangerd-root.service";
/// The two versions that are updated to and rolled back from.
pub(super) const FIRST: &str = "0.1.0";
pub(super) const SECOND: &str = "0.1.1";
/// Where the second lies in the host, out of the mirror's reach.
pub(super) const OFFER: &str = "/root/offer";
/// The client that opens connections and holds them.
pub(super) const RAW_CLIENT: &str = "/usr/local/libexec/raw-client";
/// What a process of these programs could be taken for.
const NAMES: [&str; 2] = ["firecracker", "jailer"];

/// The host.
pub(super) struct Ground {
    pub(super) stage: Stage,
    /// What guests must not notice anything.
    good: Vec<Guest>,
    bystanders: Vec<Bystander>,
    /// For the words in figures.
    name: &'static str,
}

impl Ground {
    /// Real guests, good ones and those that misbehave.
    pub(super) fn with_guests() -> Result<Self> {
        let mut ground = Self::on(Host::new().user(OWNER).user(STRANGER).build()?, "guests")?;
        ground.offer_second()?;
        for symbol in ["FLOOD=1", "ESCAPES=1", "LAST_TICK=20"] {
            let path = kernel(symbol);
            ground
                .stage
                .host
                .copy(&guest::ticker_with(symbol)?, &path)?;
        }
        for name in ["web", "db"] {
            ground.good.push(ground.stage.run_guest(name)?);
        }
        for (name, symbol) in [("flood", "FLOOD=1"), ("rude", "ESCAPES=1")] {
            let path = kernel(symbol);
            ground.vm(&["run", name, "--kernel", &path])?;
        }
        ground.add_bystanders()?;
        Ok(ground)
    }

    /// The bench's own VMM: two that behave, and later the others.
    pub(super) fn with_fake_vmm() -> Result<Self> {
        let host = Host::new().user(OWNER).user(STRANGER).fake_vmm().build()?;
        let mut ground = Self::on(host, "vmm")?;
        let path = kernel("nothing");
        fake::write_kernel(&ground.stage.host, &path, "nothing")?;
        for name in ["web", "db"] {
            ground.good.push(ground.stage.run_guest_of(name, &path)?);
        }
        ground.add_bystanders()?;
        Ok(ground)
    }

    fn on(host: Host, name: &'static str) -> Result<Self> {
        let stage = Stage::installed_on(host, FIRST)?;
        stage.host.copy(&programs::own("raw-client")?, RAW_CLIENT)?;
        Ok(Self {
            stage,
            good: Vec::new(),
            bystanders: Vec::new(),
            name,
        })
    }

    fn offer_second(&self) -> Result<()> {
        let second = self.stage.releases.sound(SECOND)?;
        self.stage.releases.publish(&second)?;
        for entry in fs_err::read_dir(self.stage.releases.public())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            self.stage.host.copy(&path, format!("{OFFER}/{name}"))?;
        }
        Ok(())
    }

    /// With the names of guests' programs, the ids of the good guests, and users that could be
    /// theirs: two of containers, the owner, the stranger and root.
    fn add_bystanders(&mut self) -> Result<()> {
        let users = ["root", OWNER, STRANGER, "600000", "2100065535"];
        let ids = self
            .good
            .iter()
            .map(|guest| Ok(self.stage.vm(&guest.name)?.id))
            .collect::<Result<Vec<_>>>()?;
        for user in users {
            for (name, id) in NAMES.iter().zip(&ids) {
                let number = self.bystanders.len();
                let started = Bystander::start(&self.stage.host, number, user, name, id)?;
                self.bystanders.push(started);
            }
        }
        Ok(())
    }

    /// `banger vm ...` as the owner.
    pub(super) fn vm(&self, words: &[&str]) -> Result<String> {
        self.stage.banger_as_owner(&[&["vm"], words].concat())?.ok()
    }

    /// A line of shell as a user.
    pub(super) fn shell_as(&self, user: &str, line: &str) -> Result<String> {
        Ok(self.stage.host.run_as(user, ["bash", "-c", line])?.text())
    }

    pub(super) fn watched(&self) -> usize {
        self.good.len() + self.bystanders.len()
    }

    /// The helper's peak in KiB, and what is wrong just now, seen without asking the host for more
    /// than a pid.
    pub(super) fn look(&self) -> (u64, Vec<String>) {
        let peak = self.peak().unwrap_or(0);
        let ended = self.bystanders.iter().filter_map(|bystander| {
            let gone = match bystander.lives() {
                Ok(true) => return None,
                Ok(false) => "was ended".to_owned(),
                Err(error) => chain(&error),
            };
            Some(format!("{}: {} {gone}", self.name, bystander.what))
        });
        (peak, ended.collect())
    }

    /// A helper that is just being restarted has none.
    fn peak(&self) -> Result<u64> {
        let inner = self.stage.host.property(HELPER, "MainPID")?;
        let inner = inner
            .parse()
            .map_err(|_| Error::Wrong(format!("{inner:?} is no pid")))?;
        peak_kib(self.stage.host.outer_pid(inner)?)
    }

    /// What is wrong when the attackers have ended.
    pub(super) fn check_at_the_end(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for guest in &self.good {
            if let Err(error) = self.stage.check_untouched(guest) {
                wrong.push(format!("{}: {}", self.name, chain(&error)));
            }
        }
        match self.stage.host.property(HELPER, "NRestarts").as_deref() {
            Ok("0") => {}
            other => wrong.push(format!("{}: the helper died: {other:?}", self.name)),
        }
        wrong
    }
}

/// Where a kernel lies in the host.
pub(super) fn kernel(word: &str) -> String {
    format!("/home/alice/{}.elf", word.to_lowercase().replace('=', "-"))
}
