//! What can be found wrong, in words: for people, and for programs.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::listed;
use crate::model::UnitName;

/// Something that is not as it was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The unit, where it is about one.
    pub unit: Option<UnitName>,
    /// The file, folder or link that it is about.
    pub path: PathBuf,
    /// What it is.
    pub what: Drift,
    /// What it means for protected processes.
    pub danger: Danger,
    /// What the user can type; none where things stay as they are.
    pub remedy: Option<String>,
}

/// What a finding means for protected processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Danger {
    /// Nothing: no stop reaches them.
    None,
    /// Nothing until systemd reads its units anew, which any package's installation makes it do;
    /// from then on a stop would kill them.
    AfterReload,
    /// A stop would kill them.
    AtStop,
}

/// Ways in which the host can be other than it was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Drift {
    /// A unit's file is not there.
    Missing,
    /// A unit's file is not there, and the unit runs all the same.
    GoneWhileLoaded,
    /// `systemctl mask`, or an empty file: the unit cannot be started.
    Masked,
    /// A unit's file is a link.
    Linked {
        /// What it names.
        target: PathBuf,
    },
    /// A unit's file is not what was installed.
    Edited,
    /// A unit's file is not root's alone to write, or not everybody's to read.
    Permissions {
        /// Permission bits, chmod(2), in octal.
        mode: String,
        /// Owning user.
        uid: u32,
        /// Owning group.
        gid: u32,
    },
    /// The file in force is another, in a folder that comes first.
    Shadowed,
    /// Another file of the unit's name, in a folder that comes later: it counts for nothing.
    Overruled,
    /// What is loaded is not what is on the disk.
    NotLoaded {
        /// Files that are not loaded, or are gone, as far as they are known.
        files: Vec<PathBuf>,
    },
    /// A stop would not reach the main process alone.
    KillMode {
        /// The mode in force.
        found: String,
        /// Drop-ins that set it.
        drop_ins: Vec<PathBuf>,
    },
    /// The unit runs another command.
    Command {
        /// The one in force.
        found: String,
        /// The one that was installed.
        expected: String,
    },
    /// The unit is not started at boot.
    NotEnabled {
        /// systemd's word for it.
        found: String,
    },
    /// The unit does not run.
    NotRunning {
        /// systemd's word for it.
        found: String,
    },
    /// A limit on starts is in force, and the unit as it was installed has none: a daemon that is
    /// restarted often would stay down, and its socket be closed to clients.
    StartLimit {
        /// The setting.
        setting: String,
        /// The time that it counts over, in seconds.
        seconds: u64,
        /// How many starts it allows in that time.
        burst: u32,
        /// The drop-ins that set it, as far as they are known.
        drop_ins: Vec<PathBuf>,
    },
    /// Others than root can write a folder on the way to what root runs and writes, and so put
    /// something else in its place.
    LooseFolder {
        /// Permission bits, chmod(2), in octal.
        mode: String,
        /// Owning user.
        uid: u32,
        /// Owning group.
        gid: u32,
    },
    /// A drop-in of somebody else's.
    DropIn {
        /// What it sets, as `Setting=value`.
        settings: Vec<String>,
        /// The drop-in that overrules its `KillMode=`, where it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        overruled_by: Option<PathBuf>,
    },
    /// The toolkit's own drop-in keeps `KillMode=process` in force.
    KeptByDropIn,
    /// The link `current` does not name the installed version.
    Current {
        /// What it names; none where it is no link.
        found: Option<PathBuf>,
        /// The installed version.
        expected: String,
    },
    /// A program is not called through `current`.
    ProgramLink {
        /// What its link names; none where it is no link.
        found: Option<PathBuf>,
    },
    /// The folder of the installed version is not there.
    VersionMissing,
    /// A file of the installed version is not there.
    FileMissing,
    /// A file of the installed version is not the one that was published.
    Swapped,
    /// A program of the installed version is not root's alone to write, or cannot be run.
    ProgramPermissions {
        /// Permission bits, chmod(2), in octal.
        mode: String,
        /// Owning user.
        uid: u32,
    },
}

impl Finding {
    /// Whether protected processes are in no danger by it.
    pub fn is_harmless(&self) -> bool {
        self.danger == Danger::None
    }

    /// Whether it stays as it is: nothing is to be done about it.
    pub fn is_kept(&self) -> bool {
        self.is_harmless() && self.remedy.is_none()
    }

    /// What it means for running guests, in a person's words.
    pub fn meaning(&self) -> &'static str {
        match (self.danger, &self.what) {
            (Danger::AtStop, _) => "a restart would kill its guests",
            (Danger::AfterReload, _) => {
                "once systemd reads its units anew, a restart would kill its guests"
            }
            (Danger::None, Drift::DropIn { .. } | Drift::Overruled) => "kept: harmless to guests",
            (Danger::None, Drift::KillMode { .. }) => {
                "a restart would kill no guest, but leave the old daemon running"
            }
            (Danger::None, Drift::StartLimit { .. }) => {
                "no guest is in danger, but after some quick restarts clients find a closed socket"
            }
            (Danger::None, Drift::LooseFolder { .. }) => {
                "whoever can write it can put another program in the place of root's"
            }
            (Danger::None, Drift::NotRunning { .. }) => "guests run on without it",
            (Danger::None, Drift::Swapped) => {
                "guests run on; what a daemon does after its next start is unknown"
            }
            (Danger::None, _) => "no guest is in danger",
        }
    }

    /// What it is, in a person's words.
    pub fn text(&self) -> String {
        let path = self.path.display();
        let unit = self
            .unit
            .as_ref()
            .map_or_else(String::new, ToString::to_string);
        match &self.what {
            Drift::Missing => format!("{unit} is missing"),
            Drift::GoneWhileLoaded => format!("the file of {unit} is gone while it runs"),
            Drift::Masked => format!("{unit} is masked by {path}: it cannot be started"),
            Drift::Linked { target } => {
                format!("{unit} is a link to {}", target.display())
            }
            Drift::Edited => format!("{unit} is not as it was installed"),
            Drift::Permissions { mode, uid, gid } => {
                format!("{path} has mode {mode} and belongs to {uid}:{gid}, not 0644 and 0:0")
            }
            Drift::Shadowed => format!("{unit} is overruled by {path}"),
            Drift::Overruled => format!("{path} counts for nothing: {unit} comes first"),
            Drift::NotLoaded { .. } => {
                format!("systemd had not read {unit} as it stands on the disk")
            }
            Drift::KillMode { found, drop_ins } => match drop_ins.last() {
                Some(by) => format!("{unit} has KillMode={found} by {}", by.display()),
                None => format!("{unit} has KillMode={found}"),
            },
            Drift::Command { found, expected } => {
                format!("{unit} runs {found:?}, not {expected:?}")
            }
            Drift::NotEnabled { found } => {
                format!("{unit} is {found}: it does not start at boot")
            }
            Drift::NotRunning { found } => format!("{unit} does not run ({found})"),
            Drift::DropIn {
                settings,
                overruled_by,
            } => {
                let overruled = overruled_by.as_ref().map_or_else(String::new, |by| {
                    format!("; its KillMode is overruled by {}", by.display())
                });
                format!("{path} sets {}{overruled}", listed(settings))
            }
            Drift::StartLimit {
                setting,
                seconds,
                burst,
                drop_ins,
            } => {
                let by = drop_ins
                    .last()
                    .map_or_else(String::new, |by| format!(" by {}", by.display()));
                format!("{unit} allows {burst} starts in {seconds} s ({setting}={seconds}s{by})")
            }
            Drift::LooseFolder { mode, uid, gid } => {
                format!(
                    "{path} has mode {mode} and belongs to {uid}:{gid}: others than root can write it"
                )
            }
            Drift::KeptByDropIn => format!("{unit} has KillMode=process by {path}"),
            _ => self.text_of_release(),
        }
    }

    fn text_of_release(&self) -> String {
        let path = self.path.display();
        let named = |found: &Option<PathBuf>| match found {
            Some(target) => format!("names {}", target.display()),
            None => "is no link".to_owned(),
        };
        match &self.what {
            Drift::Current { found, expected } => {
                format!("{path} {}, not the installed {expected}", named(found))
            }
            Drift::ProgramLink { found } => {
                format!("{path} {}, not the installed program", named(found))
            }
            Drift::VersionMissing | Drift::FileMissing => format!("{path} is missing"),
            Drift::Swapped => format!("{path} is not the file that was installed"),
            Drift::ProgramPermissions { mode, uid } => {
                format!("{path} has mode {mode} and belongs to {uid}")
            }
            _ => String::new(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.what, self.danger) {
            (Drift::DropIn { .. } | Drift::Overruled, Danger::None) => {
                write!(formatter, "{} ({})", self.text(), self.meaning())
            }
            _ => write!(formatter, "{}: {}", self.text(), self.meaning()),
        }
    }
}

/// The form for programs: fields are added, none is taken away or changes its meaning.
impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            #[serde(flatten)]
            what: &'a Drift,
            unit: Option<&'a UnitName>,
            path: &'a PathBuf,
            harmless: bool,
            danger: Danger,
            text: String,
            meaning: &'a str,
            remedy: Option<&'a str>,
        }
        Shown {
            what: &self.what,
            unit: self.unit.as_ref(),
            path: &self.path,
            harmless: self.is_harmless(),
            danger: self.danger,
            text: self.text(),
            meaning: self.meaning(),
            remedy: self.remedy.as_deref(),
        }
        .serialize(serializer)
    }
}
