//! What the toolkit does to the world, and asks of it, behind narrow traits.
//!
//! Guarantees: nothing outside this module opens a file, a socket or a process. Each trait has one
//! real side here, and can be given another by a test: the engine cannot tell them apart.

mod programs;

use std::sync::atomic::AtomicBool;

use crate::model::{End, ProcessIdentity, ProtectedProcess, UnitName};

pub use banger_installer_host::{
    Answer, BoxError, Call, Called, Clock, Disk, Files, FilesError, ForeignListener, HandoverError,
    HostClock, HostFiles, HostProcesses, Kind, Lock, LockError, ProcessFacts, Processes, Status,
    Untrusted, each_at_once, hand_over, meanwhile, sync_enablement, trust,
};
pub use banger_installer_systemd::client as systemd;
pub use programs::{HostPrograms, ProgramError, Programs, Question, Said};

/// Who must outlive what the toolkit does. Implemented by the product.
pub trait ProtectedProcesses {
    /// All of them, as of now. An error stops the operation before it changes anything: who cannot be
    /// counted cannot be protected.
    fn list(&self) -> Result<Vec<ProtectedProcess>, BoxError>;

    /// Ends one in the product's own way, say by a clean shutdown, and returns when it is gone.
    /// Asked for only when the user said so. `false`, and an error, leave it to signals.
    fn stop(&self, protected: &ProtectedProcess) -> Result<bool, BoxError> {
        let _ = protected;
        Ok(false)
    }

    /// How one that is gone ended; none when that cannot be told, or not yet. Only an end that this
    /// explains blames nobody. Asked for once the services answer again, since they may be the ones
    /// who find it out.
    fn end_of(&self, protected: &ProtectedProcess) -> Result<Option<End>, BoxError> {
        let _ = protected;
        Ok(None)
    }
}

/// Whether a service of the product is well. Implemented by the product.
pub trait Health {
    /// Asks the service once, within a short bound, and gives what it answers. An error means "not
    /// yet"; the toolkit asks again within its own bound. A product that can tell who listens says
    /// so by a [`ForeignListener`], as the error or as one of its sources.
    fn probe(&self, unit: &UnitName) -> Result<Answer, BoxError>;

    /// The same for several services, in their order. A product with more than one asks them at the
    /// same time ([`each_at_once`]), so that it takes no longer than the bound for one.
    fn probe_all(&self, units: &[UnitName]) -> Vec<Result<Answer, BoxError>> {
        units.iter().map(|unit| self.probe(unit)).collect()
    }

    /// The ids of the protected processes that the services list as running; none when they keep no
    /// such list. One that is listed before a change and not after it was lost, though it may live.
    fn known(&self) -> Result<Option<Vec<String>>, BoxError> {
        Ok(None)
    }
}

/// A product without protected children.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingProtected;

impl ProtectedProcesses for NothingProtected {
    fn list(&self) -> Result<Vec<ProtectedProcess>, BoxError> {
        Ok(Vec::new())
    }
}

/// Everything that an operation acts through.
#[derive(Clone, Copy)]
pub struct Effects<'a> {
    /// The file system.
    pub files: &'a dyn Files,
    /// The service manager.
    pub systemd: &'a dyn systemd::Systemd,
    /// The process table.
    pub processes: &'a dyn Processes,
    /// Programs of a release.
    pub programs: &'a dyn Programs,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The protected processes.
    pub protected: &'a dyn ProtectedProcesses,
    /// Who must answer.
    pub health: &'a dyn Health,
    /// Set by the caller when a signal asks the operation to end: looked at between steps.
    pub interrupt: &'a AtomicBool,
}

impl Effects<'_> {
    /// Whether that very process still lives.
    pub fn lives(&self, identity: ProcessIdentity) -> bool {
        self.processes
            .facts(identity.pid)
            .is_some_and(|facts| facts.start_time == identity.start_time)
    }
}
