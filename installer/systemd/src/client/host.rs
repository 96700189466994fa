//! This machine's systemd, for synchronous callers.
//!
//! Guarantees: a call whose connection breaks fails, and is not repeated: whether systemd had heard
//! it is not known. The next call makes a new connection, so that an operation which fails for it
//! can be rolled back over a bus that was restarted.

use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Bus, JobKind, JobResult, ScopeRequest, Systemd, SystemdError};
use crate::{UnitFacts, UnitName, UnitSearch};
use banger_installer_host::{HostFiles, sync_enablement};

/// Where systemd makes the links of enabled units that outlast a boot (systemd.unit(5)).
const LINKS: &str = "/etc/systemd/system";

/// A [`Bus`] with the runtime that drives it: one thread, none besides the caller's.
#[derive(Debug)]
pub struct HostSystemd {
    runtime: tokio::runtime::Runtime,
    /// None once it broke.
    bus: RefCell<Option<Bus>>,
}

/// How long a bus that went away is waited for: a restart of its daemon takes less, and systemd
/// comes back to it a moment later.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);

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
        Ok(Self {
            runtime,
            bus: RefCell::new(Some(bus)),
        })
    }

    fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Bus) -> Result<T, SystemdError>,
    ) -> Result<T, SystemdError> {
        let bus = match self.bus.take() {
            Some(bus) => bus,
            None => self.runtime.block_on(connect_again())?,
        };
        let answer = self.runtime.block_on(question(&bus));
        if !matches!(answer, Err(SystemdError::BusLost { .. })) {
            self.bus.replace(Some(bus));
        }
        answer
    }
}

async fn connect_again() -> Result<Bus, SystemdError> {
    let deadline = Instant::now() + BACK_WITHIN;
    loop {
        match Bus::connect().await {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            result => return result,
        }
    }
}

impl Systemd for HostSystemd {
    fn reload(&self) -> Result<(), SystemdError> {
        self.ask(async |bus: &Bus| bus.reload().await)
    }

    fn unit(&self, name: &UnitName) -> Result<UnitFacts, SystemdError> {
        self.ask(async |bus: &Bus| bus.unit(name).await)
    }

    fn units(&self, names: &[UnitName]) -> Result<Vec<UnitFacts>, SystemdError> {
        self.ask(async |bus: &Bus| bus.units(names).await)
    }

    fn search(&self) -> Result<UnitSearch, SystemdError> {
        self.ask(async |bus: &Bus| bus.search().await)
    }

    fn run_jobs(&self, kind: JobKind, units: &[UnitName]) -> Result<Vec<JobResult>, SystemdError> {
        self.ask(async |bus: &Bus| bus.run_jobs(kind, units).await)
    }

    fn queue_starts(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        self.ask(async |bus: &Bus| bus.queue_starts(units).await)
    }

    fn reset_failed(&self, unit: &UnitName) -> Result<(), SystemdError> {
        self.ask(async |bus: &Bus| bus.reset_failed(unit).await)
    }

    fn enable(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        self.ask(async |bus: &Bus| bus.enable(units).await)?;
        Ok(sync_enablement(&HostFiles, Path::new(LINKS))?)
    }

    fn disable(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        self.ask(async |bus: &Bus| bus.disable(units).await)?;
        Ok(sync_enablement(&HostFiles, Path::new(LINKS))?)
    }

    fn start_transient_scope(&self, scope: &ScopeRequest) -> Result<(), SystemdError> {
        self.ask(async |bus: &Bus| bus.start_transient_scope(scope).await)
    }
}
