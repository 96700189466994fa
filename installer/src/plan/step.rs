//! What a step is: data, and a sentence for people. Who carries it out is elsewhere.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::{Receipt, Survivor, UnitName, Version};

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// A step of a plan.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "step", rename_all = "kebab-case")]
        pub enum Step {
            $($(#[$doc])* $name($name),)+
        }

        impl Step {
            /// The name of its kind, as the journal writes it in lower case with dashes.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)+
                }
            }
        }

        $(impl From<$name> for Step {
            fn from(step: $name) -> Self {
                Self::$name(step)
            }
        })+

        impl std::fmt::Display for Step {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$name(step) => step.fmt(formatter),)+
                }
            }
        }
    };
}

steps! {
    /// Publish a version's folder.
    StageRelease,
    /// Ask new programs for their version.
    CheckPrograms,
    /// Point a link (`current`, a program) elsewhere, in one rename.
    Link,
    /// Write a unit file.
    WriteUnit,
    /// Write the toolkit's own drop-in.
    KeepGuests,
    /// Remove a file or link.
    RemoveFile,
    /// Move a folder out of the way.
    SetAside,
    /// Make systemd read its units anew.
    ReloadSystemd,
    /// See that a stop reaches the main process alone.
    CheckKillMode,
    /// Move survivors out of the services' control groups.
    RescopeGuests,
    /// Enable units.
    EnableUnits,
    /// Disable units.
    DisableUnits,
    /// Start units.
    StartUnits,
    /// Stop units.
    StopUnits,
    /// Restart services.
    RestartUnits,
    /// Wait until services answer with the right version.
    CheckHealth,
    /// Compare survivors with what they were.
    CheckSurvivors,
    /// See that nobody is left who must live.
    CheckVacant,
    /// Write the receipt.
    WriteReceipt,
}

/// Waits until each service answers, and with the right version: a start job that is done says
/// neither (systemd calls a service started that dies at once).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckHealth {
    /// The services.
    pub units: Vec<UnitName>,
    /// What they must say.
    pub version: Version,
}

impl fmt::Display for CheckHealth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "wait until {} answer with {}",
            listed(&self.units),
            self.version
        )
    }
}

/// Asks systemd whether a stop of a service would reach its main process alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckKillMode {
    /// The services.
    pub units: Vec<UnitName>,
}

impl fmt::Display for CheckKillMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "see that KillMode=process is in force for {}",
            listed(&self.units)
        )
    }
}

/// Asks every program of a release for its version, before anything points at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckPrograms {
    /// The folder that holds them.
    pub folder: PathBuf,
    /// Their names.
    pub programs: Vec<String>,
    /// What they must say.
    pub version: Version,
}

impl fmt::Display for CheckPrograms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "see that each program says {}", self.version)
    }
}

/// Compares every survivor with what it was before the run: the same pid with the same start time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSurvivors {
    /// Who was there before.
    pub survivors: Vec<Survivor>,
}

impl fmt::Display for CheckSurvivors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "see that all {} that ran still run",
            self.survivors.len()
        )
    }
}

/// Makes a service spare its children, by a drop-in of the toolkit's own that beats the unit file
/// and the administrator's drop-ins, which stay as they are.
///
/// Not taken back: a run that is rolled back must be able to restart the service without harm, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepGuests {
    /// The service.
    pub unit: UnitName,
    /// The drop-in.
    pub path: PathBuf,
}

impl fmt::Display for KeepGuests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "give {} KillMode=process", self.unit)
    }
}

/// Points a link elsewhere, in one rename: `current` at a version, or a program's name through
/// `current`. A plain program that stood there (as releases before the toolkit installed it) is
/// kept beside it until the run holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The link.
    pub link: PathBuf,
    /// What it names.
    pub target: PathBuf,
}

impl fmt::Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "point {} at {}",
            self.link.display(),
            self.target.display()
        )
    }
}

/// Makes systemd read all unit files anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadSystemd {}

impl fmt::Display for ReloadSystemd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("make systemd read its units anew")
    }
}

/// Removes a small file or a link: a unit file, a drop-in, a program's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveFile {
    /// The file.
    pub path: PathBuf,
}

impl fmt::Display for RemoveFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "remove {}", self.path.display())
    }
}

/// Moves survivors out of the services' control groups, each into a scope of its own, where no stop
/// of a service reaches them.
///
/// Not taken back: a survivor is as safe there as it can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescopeGuests {
    /// The slice of the scopes.
    pub slice: UnitName,
    /// Who goes where.
    pub moves: Vec<Move>,
}

/// One survivor's move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Who.
    pub survivor: Survivor,
    /// Where to.
    pub scope: UnitName,
}

impl fmt::Display for RescopeGuests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self
            .moves
            .iter()
            .map(|one| one.survivor.name.as_str())
            .collect();
        write!(
            formatter,
            "move {} out of the services' reach",
            listed(&names)
        )
    }
}

/// Starts units, all jobs queued together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartUnits {
    /// Units that do not run.
    pub units: Vec<UnitName>,
}

/// Stops units, all jobs queued together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopUnits {
    /// Units that run.
    pub units: Vec<UnitName>,
}

/// Restarts services, all jobs queued together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartUnits {
    /// The services.
    pub units: Vec<UnitName>,
    /// Sockets of theirs that do not listen yet. systemd starts a socket only while its service
    /// does not run, so the services are stopped, the sockets started, and then the services.
    pub sockets: Vec<UnitName>,
    /// The version that stands when this is taken back.
    pub fallback: Option<Version>,
}

impl fmt::Display for StartUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "start {}", listed(&self.units))
    }
}

impl fmt::Display for StopUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "stop {}", listed(&self.units))
    }
}

impl fmt::Display for RestartUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "restart {}", listed(&self.units))
    }
}

/// Moves something out of the way, on its own file system, so that it can come back in one rename.
/// It is deleted when the run holds, unless it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// What.
    pub path: PathBuf,
    /// Where it goes.
    pub aside: PathBuf,
    /// Whether it stays there: for what people made.
    pub keep: bool,
}

impl fmt::Display for SetAside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keep {
            write!(
                formatter,
                "move {} to {}",
                self.path.display(),
                self.aside.display()
            )
        } else {
            write!(formatter, "remove {}", self.path.display())
        }
    }
}

/// Publishes the folder of a version: in one rename, so that it is there whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRelease {
    /// The unpacked release.
    pub from: PathBuf,
    /// Where it is copied to first; none when `from` lies on the right file system and may go.
    pub copy_by: Option<PathBuf>,
    /// The version's folder.
    pub to: PathBuf,
    /// Where another folder of that version goes, when there is one.
    pub aside: Option<PathBuf>,
}

impl fmt::Display for StageRelease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "lay {} down", self.to.display())
    }
}

/// Makes units start at boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnableUnits {
    /// Units that are not enabled.
    pub units: Vec<UnitName>,
}

/// Makes units no longer start at boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisableUnits {
    /// Units that are enabled.
    pub units: Vec<UnitName>,
}

impl fmt::Display for EnableUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "enable {}", listed(&self.units))
    }
}

impl fmt::Display for DisableUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "disable {}", listed(&self.units))
    }
}

/// Writes the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteReceipt {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub receipt: Box<Receipt>,
}

impl fmt::Display for WriteReceipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "write the receipt {}", self.path.display())
    }
}

/// Writes a unit file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteUnit {
    /// The unit.
    pub unit: UnitName,
    /// Its file.
    pub path: PathBuf,
    /// The text.
    pub text: String,
}

impl fmt::Display for WriteUnit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "write {}", self.path.display())
    }
}

/// Units or people in a list, as a sentence takes them: `a, b and c`.
pub(crate) fn listed<T: std::fmt::Display>(things: &[T]) -> String {
    match things {
        [] => "none".into(),
        [one] => one.to_string(),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            format!("{} and {last}", first.join(", "))
        }
    }
}

/// Sees, once the doors are closed, that nobody runs who must live: one may have started between
/// the look at the host and the stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckVacant {}

impl fmt::Display for CheckVacant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("see that no guest is left")
    }
}
