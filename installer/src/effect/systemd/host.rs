//! This machine's systemd, for synchronous callers.

use super::{Bus, JobKind, JobResult, ScopeRequest, Systemd, SystemdError};
use crate::model::{UnitFacts, UnitName, UnitSearch};

/// A [`Bus`] with the runtime that drives it: one thread, none besides the caller's.
#[derive(Debug)]
pub struct HostSystemd {
    runtime: tokio::runtime::Runtime,
    bus: Bus,
}

impl HostSystemd {
    /// Connects to this machine's systemd.
    ///
    /// Must not be called inside another tokio runtime; daemons use [`Bus`] itself.
    ///
    /// # Errors
    /// As [`Bus::connect`].
    pub fn connect() -> Result<Self, SystemdError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(SystemdError::Runtime)?;
        let bus = runtime.block_on(Bus::connect())?;
        Ok(Self { runtime, bus })
    }
}

impl Systemd for HostSystemd {
    fn reload(&self) -> Result<(), SystemdError> {
        self.runtime.block_on(self.bus.reload())
    }

    fn unit(&self, name: &UnitName) -> Result<UnitFacts, SystemdError> {
        self.runtime.block_on(self.bus.unit(name))
    }

    fn units(&self, names: &[UnitName]) -> Result<Vec<UnitFacts>, SystemdError> {
        self.runtime.block_on(self.bus.units(names))
    }

    fn search(&self) -> Result<UnitSearch, SystemdError> {
        self.runtime.block_on(self.bus.search())
    }

    fn run_jobs(&self, kind: JobKind, units: &[UnitName]) -> Result<Vec<JobResult>, SystemdError> {
        self.runtime.block_on(self.bus.run_jobs(kind, units))
    }

    fn reset_failed(&self, unit: &UnitName) -> Result<(), SystemdError> {
        self.runtime.block_on(self.bus.reset_failed(unit))
    }

    fn enable(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        self.runtime.block_on(self.bus.enable(units))
    }

    fn disable(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        self.runtime.block_on(self.bus.disable(units))
    }

    fn start_transient_scope(&self, scope: &ScopeRequest) -> Result<(), SystemdError> {
        self.runtime.block_on(self.bus.start_transient_scope(scope))
    }
}
