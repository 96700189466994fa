//! systemd over the system bus, asynchronous: for the toolkit and for daemons alike.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use zbus::connection::Builder;
use zbus::proxy::CacheProperties;
use zbus::{OwnedObjectPath, Variant};

use super::proxies::{ManagerProxy, ServiceProxy, UnitProxy};
use super::{JobKind, JobResult, ScopeRequest, SystemdError};
use crate::model::{ServiceFacts, UnitFacts, UnitKind, UnitName};

/// The longest wait for an answer to one call. A Reload with many units takes seconds.
pub const METHOD_BOUND: Duration = Duration::from_secs(60);

/// The longest wait for a batch of jobs: more than systemd's own default start and stop timeouts
/// (90 s each, systemd-system.conf(5)), which end a job that hangs.
pub const JOB_BOUND: Duration = Duration::from_secs(240);

/// One connection to systemd by the system bus, kept open while it lives: a subscription ends with
/// its connection.
#[derive(Debug, Clone)]
pub struct Bus {
    connection: zbus::Connection,
    manager: ManagerProxy<'static>,
}

impl Bus {
    /// Connects, and subscribes to systemd's job signals. Runs on the caller's tokio runtime.
    ///
    /// # Errors
    /// [`SystemdError::NotBooted`], [`SystemdError::NoBus`], or systemd's refusal.
    pub async fn connect() -> Result<Self, SystemdError> {
        // sd_booted(3)
        if !Path::new("/run/systemd/system").is_dir() {
            return Err(SystemdError::NotBooted);
        }
        let connection = within("answer on the bus", METHOD_BOUND, async {
            Builder::system().method_timeout(METHOD_BOUND).build().await
        })
        .await?
        .map_err(SystemdError::NoBus)?;
        let manager = ManagerProxy::builder(&connection)
            .cache_properties(CacheProperties::No)
            .build()
            .await
            .map_err(SystemdError::NoBus)?;
        let bus = Self {
            connection,
            manager,
        };
        refused("announce its jobs", bus.manager.subscribe().await)?;
        Ok(bus)
    }

    /// See [`super::Systemd::reload`].
    pub async fn reload(&self) -> Result<(), SystemdError> {
        refused("read its units anew", self.manager.reload().await)
    }

    /// See [`super::Systemd::unit`].
    pub async fn unit(&self, name: &UnitName) -> Result<UnitFacts, SystemdError> {
        refused(&format!("describe {name}"), self.read_unit(name).await)
    }

    async fn read_unit(&self, name: &UnitName) -> zbus::Result<UnitFacts> {
        // LoadUnit, unlike GetUnit, knows units that are not in memory, too
        let path = self.manager.load_unit(name.as_str()).await?;
        let unit = UnitProxy::builder(&self.connection)
            .path(path.clone())
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        let service = match name.kind() {
            UnitKind::Service => Some(self.read_service(path).await?),
            UnitKind::Socket | UnitKind::Slice | UnitKind::Scope => None,
        };
        Ok(UnitFacts {
            load_state: unit.load_state().await?,
            active_state: unit.active_state().await?,
            sub_state: unit.sub_state().await?,
            fragment: Some(unit.fragment_path().await?)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            drop_ins: unit
                .drop_in_paths()
                .await?
                .into_iter()
                .map(PathBuf::from)
                .collect(),
            unit_file_state: unit.unit_file_state().await?,
            needs_reload: unit.need_daemon_reload().await?,
            active_since: unit.active_enter_timestamp().await?,
            service,
        })
    }

    async fn read_service(&self, path: OwnedObjectPath) -> zbus::Result<ServiceFacts> {
        let service = ServiceProxy::builder(&self.connection)
            .path(path)
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        Ok(ServiceFacts {
            kill_mode: service.kill_mode().await?,
            main_pid: service.main_pid().await?,
            control_group: service.control_group().await?,
            restarts: service.n_restarts().await?,
            exec_start: service
                .exec_start()
                .await?
                .into_iter()
                .next()
                .map(|command| PathBuf::from(command.0)),
        })
    }

    /// See [`super::Systemd::run_jobs`].
    pub async fn run_jobs(
        &self,
        kind: JobKind,
        units: &[UnitName],
    ) -> Result<Vec<JobResult>, SystemdError> {
        let what = || format!("{kind:?} {}", names(units)).to_lowercase();
        let queue = async |manager: ManagerProxy<'static>| {
            let mut jobs = Vec::with_capacity(units.len());
            for unit in units {
                let unit = unit.as_str();
                jobs.push(match kind {
                    JobKind::Start => manager.start_unit(unit, "replace").await?,
                    JobKind::Stop => manager.stop_unit(unit, "replace").await?,
                    JobKind::Restart => manager.restart_unit(unit, "replace").await?,
                });
            }
            Ok(jobs)
        };
        refused(
            &what(),
            within(&what(), JOB_BOUND, self.queue_and_wait(queue)).await?,
        )
    }

    /// See [`super::Systemd::start_transient_scope`].
    ///
    /// The scope is made with `Delegate=yes`: systemd then leaves the inside of its control group
    /// alone, so whoever started the process may set limits there; with
    /// `CollectMode=inactive-or-failed`: it goes by itself when its last process does.
    pub async fn start_transient_scope(&self, scope: &ScopeRequest) -> Result<(), SystemdError> {
        let what = format!("move processes into {}", scope.name);
        let queue = async |manager: ManagerProxy<'static>| {
            let properties = [
                ("PIDs", Variant::from(scope.pids.clone())),
                ("Slice", Variant::from(scope.slice.as_str())),
                ("Description", Variant::from(scope.description.as_str())),
                ("Delegate", Variant::from(true)),
                ("CollectMode", Variant::from("inactive-or-failed")),
            ];
            let job = manager
                .start_transient_unit(scope.name.as_str(), "fail", &properties, &[])
                .await?;
            Ok(vec![job])
        };
        let results = refused(
            &what,
            within(&what, JOB_BOUND, self.queue_and_wait(queue)).await?,
        )?;
        match results.first() {
            Some(JobResult::Done) => Ok(()),
            result => Err(SystemdError::Job {
                kind: JobKind::Start,
                unit: scope.name.to_string(),
                result: result.copied().unwrap_or(JobResult::Unknown),
            }),
        }
    }

    /// Queues jobs and waits until each has been removed. The match on the signal stands before
    /// the first job is queued: a job may end before its number reaches us.
    async fn queue_and_wait<Queue, Jobs>(&self, queue: Queue) -> zbus::Result<Vec<JobResult>>
    where
        Queue: FnOnce(ManagerProxy<'static>) -> Jobs,
        Jobs: Future<Output = zbus::Result<Vec<OwnedObjectPath>>>,
    {
        let mut removed = self.manager.receive_job_removed().await?;
        let jobs = queue(self.manager.clone()).await?;
        let mut results: BTreeMap<String, JobResult> = BTreeMap::new();
        while jobs.iter().any(|job| !results.contains_key(job.as_str())) {
            let Some(signal) = removed.next().await else {
                let closed = std::io::Error::new(
                    std::io::ErrorKind::UnexpectedEof,
                    "the bus closed the connection while a job ran",
                );
                return Err(closed.into());
            };
            let ended = signal.args()?;
            results.insert(
                ended.job().as_str().to_owned(),
                JobResult::from_word(ended.result()),
            );
        }
        Ok(jobs
            .iter()
            .map(|job| {
                results
                    .get(job.as_str())
                    .copied()
                    .unwrap_or(JobResult::Unknown)
            })
            .collect())
    }

    /// See [`super::Systemd::reset_failed`].
    pub async fn reset_failed(&self, unit: &UnitName) -> Result<(), SystemdError> {
        refused(
            &format!("forget the failure of {unit}"),
            self.manager.reset_failed_unit(unit.as_str()).await,
        )
    }

    /// See [`super::Systemd::enable`].
    pub async fn enable(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        let files: Vec<&str> = units.iter().map(UnitName::as_str).collect();
        refused(
            &format!("enable {}", names(units)),
            self.manager.enable_unit_files(&files, false, false).await,
        )
        .map(drop)
    }

    /// See [`super::Systemd::disable`].
    pub async fn disable(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        let files: Vec<&str> = units.iter().map(UnitName::as_str).collect();
        refused(
            &format!("disable {}", names(units)),
            self.manager.disable_unit_files(&files, false).await,
        )
        .map(drop)
    }
}

fn names(units: &[UnitName]) -> String {
    let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
    names.join(", ")
}

fn refused<T>(what: &str, answer: zbus::Result<T>) -> Result<T, SystemdError> {
    let what = what.into();
    answer.map_err(|source| match source {
        zbus::Error::InputOutput(_) => SystemdError::BusLost { what, source },
        _ => SystemdError::Refused { what, source },
    })
}

async fn within<T>(
    what: &str,
    bound: Duration,
    work: impl Future<Output = T>,
) -> Result<T, SystemdError> {
    tokio::time::timeout(bound, work)
        .await
        .map_err(|_elapsed| SystemdError::TooSlow {
            what: what.into(),
            bound,
        })
}
