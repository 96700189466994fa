use crate::effect::systemd::{HostSystemd, SystemdError};
use crate::effect::{
    Effects, Health, HostClock, HostFiles, HostProcesses, HostPrograms, ProtectedProcesses,
};

/// This machine, as the toolkit acts on it.
#[derive(Debug)]
pub struct HostSide {
    systemd: HostSystemd,
    clock: HostClock,
}

impl HostSide {
    /// Connects to this machine's systemd.
    ///
    /// # Errors
    /// [`SystemdError`], when systemd is not the init system, or D-Bus does not answer.
    pub fn connect() -> Result<Self, SystemdError> {
        Ok(Self {
            systemd: HostSystemd::connect()?,
            clock: HostClock::default(),
        })
    }

    /// The effects of an operation.
    pub fn effects<'a>(
        &'a self,
        protected: &'a dyn ProtectedProcesses,
        health: &'a dyn Health,
        interrupt: &'a std::sync::atomic::AtomicBool,
    ) -> Effects<'a> {
        Effects {
            files: &HostFiles,
            systemd: &self.systemd,
            processes: &HostProcesses,
            programs: &HostPrograms,
            clock: &self.clock,
            protected,
            health,
            interrupt,
        }
    }
}
