//! The ways in which a new version's daemon can be bad: what its unit says, which the program
//! `bad-bangerd` reads at its start.

use fs_err as fs;

use super::{Result, place};

/// The variable of the unit that names the way.
pub const VARIABLE: &str = "BANGER_BAD";

/// The version that a daemon which lies about it says it has.
pub const FALSE_VERSION: &str = "0.1.9";

/// The guest that an owner asks to stop.
pub const GUEST: &str = "web";

/// The schema of a record that no version reads yet.
pub const LATER_SCHEMA: u32 = 99;

/// A way of being bad. Where one daemon is, the other one is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// It ends at once.
    Exits,
    /// It never says that it is ready.
    HangsAtStart,
    /// It takes five seconds to start, and then says that it is of [`FALSE_VERSION`].
    WrongVersion,
    /// It ends when the update is over.
    DiesLater,
    /// The same in order, as if it had been asked to.
    LeavesLater,
    /// It is ready, gives one answer, and ends, again and again.
    Loops,
    /// It sees no record and no jail, and so knows no guest.
    Forgets,
    /// It stops answering when the update is over.
    HangsLater,
    /// It says that it cannot read what the version before wrote, and ends for good.
    CannotRead,
    /// It kills every guest that runs, and is sound from then on.
    KillsGuests,
    /// Its owner asks for the stop of [`GUEST`] before it is ready; then it is sound.
    AsksForStop,
    /// It writes the guests' records in [`LATER_SCHEMA`], and ends.
    WritesLaterSchema,
}

impl Bad {
    const ALL: [Self; 12] = [
        Self::Exits,
        Self::HangsAtStart,
        Self::WrongVersion,
        Self::DiesLater,
        Self::LeavesLater,
        Self::Loops,
        Self::Forgets,
        Self::HangsLater,
        Self::CannotRead,
        Self::KillsGuests,
        Self::AsksForStop,
        Self::WritesLaterSchema,
    ];

    /// The word for it in the unit.
    pub fn word(self) -> String {
        format!("{self:?}")
    }

    /// The way that a unit's word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bad| bad.word() == word)
    }

    /// The service whose daemon is bad.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::HangsAtStart | Self::WrongVersion | Self::Loops | Self::AsksForStop => {
                "bangerd.service"
            }
            Self::Exits
            | Self::DiesLater
            | Self::LeavesLater
            | Self::Forgets
            | Self::HangsLater
            | Self::CannotRead
            | Self::KillsGuests
            | Self::WritesLaterSchema => "bangerd-root.service",
        }
    }

    /// What the daemon puts into the journal before it is bad.
    pub fn confession(self) -> String {
        format!("bad on purpose: {self:?}")
    }

    /// Puts the unit templates of a release with such a daemon into `folder`.
    pub(super) fn write_units(self, folder: &std::path::Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        for entry in fs::read_dir(place::workspace().join("units"))? {
            let entry = entry?;
            let template = fs::read_to_string(entry.path())?;
            let bad = entry.file_name().to_str() == Some(&format!("{}.in", self.unit()));
            let text = if bad { self.spoil(&template) } else { template };
            fs::write(folder.join(entry.file_name()), text)?;
        }
        Ok(())
    }

    fn spoil(self, template: &str) -> String {
        let mut lines = format!("[Service]\nEnvironment={VARIABLE}={self:?}\n");
        if self == Self::Forgets {
            // with its jail a VM would be found again
            lines.push_str("TemporaryFileSystem=/var/lib/banger-root/vms\n");
            lines.push_str("TemporaryFileSystem=/var/lib/banger-root/jail\n");
        }
        let text = template.replacen("[Service]\n", &lines, 1);
        if self == Self::HangsAtStart {
            // so that nobody waits for long
            return text.replacen("TimeoutStartSec=30s", "TimeoutStartSec=5s", 1);
        }
        text
    }
}
