use super::{JobKind, JobResult, ScopeRequest, Systemd, SystemdError};
use crate::{UnitFacts, UnitKind, UnitName, UnitSearch};

/// systemd for a program that runs before the services may start (`Before=` of its unit): a start of
/// theirs would wait for that program, and so is queued and not waited for. They do not run, so that a
/// restart is a start.
pub struct BeforeServices<'a> {
    inner: &'a dyn Systemd,
    /// The program's own unit, which is not to be stopped under it.
    own: Option<&'a UnitName>,
}

impl<'a> BeforeServices<'a> {
    /// In front of that manager; `own` is the unit that this program is run by.
    pub const fn new(inner: &'a dyn Systemd, own: Option<&'a UnitName>) -> Self {
        Self { inner, own }
    }

    /// Whether a job of this kind with this unit is not waited for.
    fn is_left(&self, kind: JobKind, unit: &UnitName) -> bool {
        match kind {
            JobKind::Stop => self.own == Some(unit),
            JobKind::Start | JobKind::Restart => unit.kind() == UnitKind::Service,
        }
    }
}

impl Systemd for BeforeServices<'_> {
    fn reload(&self) -> Result<(), SystemdError> {
        self.inner.reload()
    }

    fn unit(&self, name: &UnitName) -> Result<UnitFacts, SystemdError> {
        self.inner.unit(name)
    }

    fn units(&self, names: &[UnitName]) -> Result<Vec<UnitFacts>, SystemdError> {
        self.inner.units(names)
    }

    fn search(&self) -> Result<UnitSearch, SystemdError> {
        self.inner.search()
    }

    fn run_jobs(&self, kind: JobKind, units: &[UnitName]) -> Result<Vec<JobResult>, SystemdError> {
        let (left, waited): (Vec<_>, Vec<_>) = units
            .iter()
            .cloned()
            .partition(|unit| self.is_left(kind, unit));
        let mut results = if waited.is_empty() {
            Vec::new()
        } else {
            self.inner.run_jobs(kind, &waited)?
        }
        .into_iter();
        if kind != JobKind::Stop && !left.is_empty() {
            self.inner.queue_starts(&left)?;
        }
        let result = |unit| {
            if self.is_left(kind, unit) {
                return JobResult::Done;
            }
            results.next().unwrap_or(JobResult::Unknown)
        };
        Ok(units.iter().map(result).collect())
    }

    fn queue_starts(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        self.inner.queue_starts(units)
    }

    fn reset_failed(&self, unit: &UnitName) -> Result<(), SystemdError> {
        self.inner.reset_failed(unit)
    }

    fn enable(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        self.inner.enable(units)
    }

    fn disable(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        self.inner.disable(units)
    }

    fn start_transient_scope(&self, scope: &ScopeRequest) -> Result<(), SystemdError> {
        self.inner.start_transient_scope(scope)
    }
}
