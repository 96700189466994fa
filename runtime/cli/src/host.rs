//! This machine, as the commands of `system` and `update` work on it.
//!
//! Guarantees: every connection to the host that these commands need is made here, and each that
//! cannot be made is an error that says what is missing.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use banger_installer::effect::{
    Answer, BoxError, Effects, Health, ProtectedProcesses, each_at_once,
};
use banger_installer::error_kind::ErrorKind;
use banger_installer::model::{End, Owner, Product, ProtectedProcess, UnitName};
use banger_installer::toolkit::{HostSide, ToolkitError};
use banger_installer::unit::Values;

use super::Failure;
use crate::health;
use crate::product::{self, Coverage, hint_text};
use crate::protected::InstalledGuests;
use crate::protocol::{EndCause, GraceSeconds, StopVm};

impl From<ToolkitError> for Failure {
    fn from(error: ToolkitError) -> Self {
        Self::new(
            &error,
            error.hint().map(|hint| hint_text(&hint)),
            error.kind(),
        )
    }
}

/// How long a daemon may take to say how it is.
const PROBE_BOUND: Duration = Duration::from_secs(2);

/// How long a guest may take to end: its grace, and both signals.
const STOP_BOUND: Duration = Duration::from_secs(20);

/// The guests, as the toolkit asks for them.
struct Guests(InstalledGuests);

impl ProtectedProcesses for Guests {
    fn list(&self) -> Result<Vec<ProtectedProcess>, BoxError> {
        Ok(self.0.list()?)
    }

    fn end_of(&self, protected: &ProtectedProcess) -> Result<Option<End>, BoxError> {
        let told = self.told(&protected.id)?;
        let Some(id) = vm_of_scope(&protected.control_group) else {
            return Ok(told);
        };
        if told.is_some() || id == protected.id {
            return Ok(told);
        }
        // beside a VM's own process, in its scope: a VMM that was broken out of starts and ends
        // what it likes, and holds up no update by it
        if self.0.list()?.iter().any(|one| one.id == id) {
            return Ok(Some(End::Exited));
        }
        self.told(id)
    }

    fn stop(&self, protected: &ProtectedProcess) -> Result<bool, BoxError> {
        let which = StopVm {
            name: protected.name.parse()?,
            grace_seconds: GraceSeconds::default(),
        };
        health::stop(&product::HELPER_SERVICE.parse()?, which, STOP_BOUND)?;
        Ok(true)
    }
}

impl Guests {
    fn told(&self, id: &str) -> Result<Option<End>, BoxError> {
        let cause = self.0.end_of(id)?;
        Ok(cause.map(|cause| match cause {
            EndCause::Asked => End::Asked,
            EndCause::Guest => End::Exited,
            EndCause::Unexplained => End::Unexplained,
        }))
    }
}

/// The id of the VM whose scope a control group is, or lies in.
fn vm_of_scope(control_group: &str) -> Option<&str> {
    let mut parts = control_group.split('/');
    parts.find_map(|part| part.strip_prefix("banger-vm-")?.strip_suffix(".scope"))
}

/// The daemons' health, as the toolkit asks for it.
struct DaemonHealth;

impl Health for DaemonHealth {
    fn probe(&self, unit: &UnitName) -> Result<Answer, BoxError> {
        Ok(health::probe(unit, PROBE_BOUND)?)
    }

    fn probe_all(&self, units: &[UnitName]) -> Vec<Result<Answer, BoxError>> {
        each_at_once(units, |unit| self.probe(unit))
    }

    fn known(&self) -> Result<Option<Vec<String>>, BoxError> {
        let known = health::known(&product::HELPER_SERVICE.parse()?, PROBE_BOUND)?;
        Ok(Some(known))
    }
}

/// Everything that an operation needs of the machine.
pub(super) struct Host {
    /// banger.
    pub(super) product: Product,
    side: HostSide,
    guests: Guests,
    health: DaemonHealth,
    interrupt: Arc<AtomicBool>,
}

impl Host {
    /// Connects to systemd.
    pub(super) fn connect() -> Result<Self, Failure> {
        let product =
            product::product().map_err(|error| Failure::new(&error, None, ErrorKind::Other))?;
        let side = HostSide::connect().map_err(ToolkitError::from)?;
        Ok(Self {
            product,
            side,
            guests: Guests(InstalledGuests::of_host()),
            health: DaemonHealth,
            interrupt: Arc::new(AtomicBool::new(false)),
        })
    }

    /// The effects of an operation.
    pub(super) fn effects(&self) -> Effects<'_> {
        self.side
            .effects(&self.guests, &self.health, &self.interrupt)
    }

    /// From here on Ctrl-C and SIGTERM do not end the process: the operation sees them between two
    /// steps and rolls itself back. A terminal that goes away (SIGHUP) ends nothing.
    pub(super) fn hold_signals(&self) -> Result<(), Failure> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let ignored = Arc::new(AtomicBool::new(false));
        let held = [
            (SIGINT, &self.interrupt),
            (SIGTERM, &self.interrupt),
            (SIGHUP, &ignored),
        ];
        for (signal, flag) in held {
            signal_hook::flag::register(signal, Arc::clone(flag))
                .map_err(|error| Failure::new(&error, None, ErrorKind::Other))?;
        }
        Ok(())
    }

    /// What the unit templates are filled with, for an owner.
    pub(super) fn unit_values(&self, owner: &Owner) -> Values {
        let coverage = Coverage::from_environment(|name| std::env::var_os(name)).trusted(owner.uid);
        product::unit_values(owner, &self.product.layout.programs, &coverage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_tells_whose_it_is() {
        let group = "/banger.slice/banger-vm-00112233445566aa.scope";
        assert_eq!(vm_of_scope(group), Some("00112233445566aa"));
        let beneath = format!("{group}/made-inside");
        assert_eq!(vm_of_scope(&beneath), Some("00112233445566aa"));
        assert_eq!(vm_of_scope("/system.slice/bangerd-root.service"), None);
    }
}
