//! What the toolkit must know of the host's people and processes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The user for whom the product is installed, as the user database names them (getpwnam(3)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Login name.
    pub user: String,
    /// User id; never 0.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home directory, absolute.
    pub home: PathBuf,
}

impl Owner {
    /// See the fields.
    pub fn new(user: &str, uid: u32, gid: u32, home: impl Into<PathBuf>) -> Self {
        Self {
            user: user.into(),
            uid,
            gid,
            home: home.into(),
        }
    }
}

/// A process that cannot be mistaken for another with the same number: the pair stays unique until
/// the next boot, since a reused pid gets a later start time (`proc_pid_stat(5)`, field 22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Process id in the host's pid namespace.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start_time: u64,
}

/// A process that must outlive every stop the toolkit causes. For a product that runs virtual machines:
/// a running guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectedProcess {
    /// What a person calls it, say a VM's name.
    pub name: String,
    /// A word safe in a unit name (letters, digits, hyphens), unique on the host.
    pub id: String,
    /// The process.
    pub identity: ProcessIdentity,
    /// Its control group on the unified hierarchy, as `/proc/PID/cgroup` gives it after `0::`, say
    /// `/system.slice/acmed.service`.
    pub control_group: String,
}

/// How a protected process ended, as far as the product can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum End {
    /// Somebody who may do so asked for it.
    Asked,
    /// It exited by itself: a guest that was shut down from inside.
    Exited,
    /// Nothing explains it.
    Unexplained,
}

impl End {
    /// Whether it says nothing against the change that was under way.
    pub const fn is_explained(self) -> bool {
        matches!(self, Self::Asked | Self::Exited)
    }

    /// What happened, in a person's words, after the name of who ended.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Asked => "stopped on request",
            Self::Exited => "shut down by itself",
            Self::Unexplained => "ended, and nothing explains it",
        }
    }
}

impl ProtectedProcess {
    /// Whether it lives in a unit's control group, or beneath it.
    pub fn lives_in(&self, unit: &super::UnitName) -> bool {
        self.control_group
            .split('/')
            .any(|part| part == unit.as_str())
    }
}
