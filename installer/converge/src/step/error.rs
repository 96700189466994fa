use std::path::PathBuf;

use banger_installer_host::Hint;

use crate::ErrorKind;
use crate::effect::systemd::{JobKind, JobResult, SystemdError};
use crate::effect::{BoxError, FilesError, ProgramError};
use crate::model::{UnitName, Version, VersionError};

/// A step that did not do what it had to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// A file.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// systemd.
    #[error(transparent)]
    Systemd(#[from] SystemdError),
    /// A program of the release does not run.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A program of the release says something that is no version.
    #[error("{} does not tell its version", program.display())]
    VersionLine {
        /// The program.
        program: PathBuf,
        /// What is wrong with it.
        #[source]
        source: VersionError,
    },
    /// A program of the release is of another version.
    #[error("{} says {found}, expected {expected}", program.display())]
    WrongProgram {
        /// The program.
        program: PathBuf,
        /// Its version.
        found: Version,
        /// The release's version.
        expected: Version,
    },
    /// Something stands where a file or link must go, and is neither.
    #[error("{} is neither a file nor a link", path.display())]
    InTheWay {
        /// Where.
        path: PathBuf,
    },
    /// A Reload would be refused for lack of room (systemd keeps 16 MiB of /run free).
    #[error("/run has {free} bytes free; systemd reads its units anew only with 16 MiB")]
    RunIsFull {
        /// Free bytes.
        free: u64,
    },
    /// A stop would kill children.
    #[error(
        "KillMode={found} is in force for {unit}; a stop would kill {}",
        in_reach(names)
    )]
    KillMode {
        /// The service.
        unit: UnitName,
        /// What systemd reports.
        found: String,
        /// The drop-ins that may be the reason.
        drop_ins: Vec<PathBuf>,
        /// Those who live in its control group now.
        names: Vec<String>,
    },
    /// A protected process does not end.
    #[error("{name} (pid {pid}) cannot be stopped")]
    NotStopped {
        /// Its name.
        name: String,
        /// Its pid.
        pid: u32,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// A protected process could not be moved into its scope.
    #[error("{name} (pid {pid}) cannot be moved out of its service's reach")]
    NotMoved {
        /// Its name.
        name: String,
        /// Its pid.
        pid: u32,
        /// Why.
        #[source]
        source: SystemdError,
    },
    /// Protected processes that live, and that the services no longer know.
    #[error(
        "alive, but no longer known to the services: {}",
        crate::plan::listed(names)
    )]
    Forgotten {
        /// Their names.
        names: Vec<String>,
    },
    /// A service ended, or was restarted, right after it had answered.
    #[error("{unit} answered, and then exited")]
    Unsteady {
        /// The service.
        unit: UnitName,
    },
    /// A service failed, by what systemd saw of it.
    #[error("{unit} failed: {why}")]
    Failed {
        /// The service.
        unit: UnitName,
        /// What was seen.
        why: String,
    },
    /// A job ended otherwise than done.
    #[error("the {kind} job of {unit} ended as {result}", kind = word(kind), result = word(result))]
    Job {
        /// What it was to do.
        kind: JobKind,
        /// With which unit.
        unit: UnitName,
        /// How it ended.
        result: JobResult,
    },
    /// A service does not answer.
    #[error("{unit} did not answer within {} s", crate::step::HEALTH_BOUND.as_secs())]
    Unwell {
        /// The service.
        unit: UnitName,
        /// Its last answer.
        #[source]
        source: BoxError,
    },
    /// A service answers with another version.
    #[error("{unit} says {found}, expected {expected}")]
    WrongVersion {
        /// The service.
        unit: UnitName,
        /// What it said.
        found: Version,
        /// What it had to say.
        expected: Version,
    },
    /// Protected processes that are gone.
    #[error("no longer alive: {}", crate::plan::listed(names))]
    Lost {
        /// Their names.
        names: Vec<String>,
    },
    /// Protected processes that nobody counted on.
    #[error("still running: {}", crate::plan::listed(names))]
    StillThere {
        /// Their names.
        names: Vec<String>,
    },
    /// A program no longer says of the state what it said when the plan was made.
    #[error("what becomes of the state of {unit} is no longer what was planned")]
    StateChanged {
        /// The service that keeps it.
        unit: UnitName,
    },
    /// Protected processes cannot be counted.
    #[error("cannot tell which processes are protected")]
    ProtectedProcesses(#[source] crate::effect::BoxError),
    /// A protected process did not arrive in its scope.
    #[error("{name} (pid {pid}) is in {found}, not in {scope}")]
    NotInScope {
        /// Its name.
        name: String,
        /// Its pid.
        pid: u32,
        /// Its control group.
        found: String,
        /// Where it had to be.
        scope: UnitName,
    },
    /// Another process had got a protected process's number, and was moved in its place.
    #[error("pid {pid} is no longer {name}: another process is in {scope} now")]
    OtherMoved {
        /// The name of the one that was meant.
        name: String,
        /// The number.
        pid: u32,
        /// Where it is.
        scope: UnitName,
    },
    /// The services do not say whom they know.
    #[error("the services do not list what runs")]
    Unlisted(#[source] BoxError),
    /// The probation cannot be written as JSON.
    #[error(transparent)]
    Probation(#[from] crate::model::ProbationError),
    /// The receipt cannot be written as JSON.
    #[error(transparent)]
    Receipt(#[from] crate::model::ReceiptError),
    /// What a version put on the host cannot be written as JSON.
    #[error("what this version puts on the host cannot be written down")]
    Set(#[from] crate::model::InstalledSetError),
}

/// Whom a stop would reach, by name where somebody is there.
fn in_reach(names: &[String]) -> String {
    if names.is_empty() {
        "a protected process".into()
    } else {
        crate::plan::listed(names)
    }
}

/// The word that serde gives a unit variant.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

impl StepError {
    /// Whether the release itself failed: its programs or its services, not the host, a disk
    /// or a person. The rescue unit runs the version before, and is no service of the new one; a job
    /// that somebody canceled says nothing of either.
    pub fn blames_release(&self, rescue: Option<&UnitName>) -> bool {
        match self {
            Self::Job { unit, result, .. } => {
                rescue != Some(unit) && *result != JobResult::Canceled
            }
            Self::VersionLine { .. }
            | Self::WrongProgram { .. }
            | Self::Forgotten { .. }
            | Self::Unsteady { .. }
            | Self::Failed { .. }
            | Self::Unwell { .. }
            | Self::WrongVersion { .. }
            | Self::Lost { .. } => true,
            _ => false,
        }
    }

    /// What the user can type.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Files(error) => error.hint(),
            Self::Systemd(error) => error.hint(),
            Self::RunIsFull { .. } => Some("free space in /run and try again: df -h /run".into()),
            Self::KillMode { unit, drop_ins, .. } => Some(if drop_ins.is_empty() {
                Hint::Text(format!(
                    "systemctl show -p FragmentPath,DropInPaths,KillMode {unit}"
                ))
            } else {
                let paths: Vec<_> = drop_ins.iter().map(|path| path.display()).collect();
                Hint::TakeOutKillMode {
                    paths: listed_paths(&paths),
                }
            }),
            Self::NotMoved { .. } | Self::NotInScope { .. } => Some(Hint::StopByHand),
            Self::Job { unit, .. }
            | Self::Unwell { unit, .. }
            | Self::Unsteady { unit }
            | Self::Failed { unit, .. }
            | Self::WrongVersion { unit, .. } => Some(Hint::Text(format!(
                "journalctl -u {unit} --since \"5 min ago\""
            ))),
            Self::StillThere { .. } => Some(Hint::StopFirst),
            Self::InTheWay { path } => Some(Hint::Text(format!("move {} away", path.display()))),
            _ => None,
        }
    }

    /// Which kind of failure it is, for an operation that had nothing to revert.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Files(error) => error.kind(),
            Self::Systemd(error) => error.kind(),
            Self::RunIsFull { .. } => ErrorKind::HostLacks,
            Self::KillMode { .. }
            | Self::StillThere { .. }
            | Self::NotMoved { .. }
            | Self::NotInScope { .. }
            | Self::OtherMoved { .. }
            | Self::NotStopped { .. }
            | Self::ProtectedProcesses(_) => ErrorKind::GuestsInTheWay,
            _ => ErrorKind::Other,
        }
    }
}

fn listed_paths(paths: &[std::path::Display<'_>]) -> String {
    crate::plan::listed(paths)
}
