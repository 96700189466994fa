//! systemd over the system bus, asynchronous: for the toolkit and for daemons alike.

use std::collections::BTreeMap;
use std::future::Future;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use rustix::time::ClockId;
use zbus::OwnedObjectPath;
use zbus::connection::Builder;
use zbus::fdo::Error::FileNotFound;
use zbus::proxy::CacheProperties;

use super::proxies::{ManagerProxy, ServiceProperties, SocketProperties, UnitProperties};
use super::{BusError, JobKind, JobResult, NewScope, ScopeRequest, SystemdError, scope};
use crate::{RateLimit, ServiceFacts, UnitFacts, UnitKind, UnitName, UnitSearch};
use banger_installer_host::descriptor;

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
        .map_err(|error| SystemdError::NoBus(BusError(error)))?;
        let manager = ManagerProxy::builder(&connection)
            .cache_properties(CacheProperties::No)
            .build()
            .await
            .map_err(|error| SystemdError::NoBus(BusError(error)))?;
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

    /// See [`super::Systemd::units`]. The questions are all on their way before the first answer
    /// is waited for.
    pub async fn units(&self, names: &[UnitName]) -> Result<Vec<UnitFacts>, SystemdError> {
        try_join_all(names.iter().map(|name| self.unit(name))).await
    }

    async fn read_unit(&self, name: &UnitName) -> zbus::Result<UnitFacts> {
        // LoadUnit, unlike GetUnit, knows units that are not in memory, too
        let path = self.manager.load_unit(name.as_str()).await?;
        let (unit, mut service, socket, unit_file_state) = tokio::try_join!(
            self.properties::<UnitProperties>(&path, "Unit"),
            self.read_service(&path, name),
            self.read_socket(&path, name),
            self.unit_file_state(name),
        )?;
        if let Some((service, ended)) = &mut service {
            service.was_stopped = *ended > unit.active_exit_timestamp_monotonic;
        }
        Ok(UnitFacts {
            load_state: unit.load_state,
            active_state: unit.active_state,
            sub_state: unit.sub_state,
            fragment: Some(unit.fragment_path)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            drop_ins: unit.drop_in_paths.into_iter().map(PathBuf::from).collect(),
            unit_file_state,
            needs_reload: unit.need_daemon_reload,
            has_job: unit.job.0 != 0,
            active_since: unit.active_enter_timestamp,
            limits: [
                limit(
                    "StartLimitIntervalSec",
                    unit.start_limit_interval,
                    unit.start_limit_burst,
                ),
                socket.and_then(|socket| {
                    limit(
                        "TriggerLimitIntervalSec",
                        socket.trigger_limit_interval,
                        socket.trigger_limit_burst,
                    )
                }),
            ]
            .into_iter()
            .flatten()
            .collect(),
            service: service.map(|(service, _)| service),
        })
    }

    /// The service, and when its main process ended last, in microseconds of the monotonic clock.
    async fn read_service(
        &self,
        path: &OwnedObjectPath,
        name: &UnitName,
    ) -> zbus::Result<Option<(ServiceFacts, u64)>> {
        if name.kind() != UnitKind::Service {
            return Ok(None);
        }
        let service: ServiceProperties = self.properties(path, "Service").await?;
        let first = service.exec_start.into_iter().next();
        let ended = service.exec_main_exit_timestamp_monotonic;
        let facts = ServiceFacts {
            kill_mode: service.kill_mode,
            main_pid: service.main_pid,
            control_group: service.control_group,
            restarts: service.n_restarts,
            exec_start: first.as_ref().map(|command| PathBuf::from(&command.0)),
            command: first.map(|command| command.1).unwrap_or_default(),
            user: service.user,
            result: service.result,
            main_code: service.exec_main_code,
            main_status: service.exec_main_status,
            was_stopped: false,
        };
        Ok(Some((facts, ended)))
    }

    async fn read_socket(
        &self,
        path: &OwnedObjectPath,
        name: &UnitName,
    ) -> zbus::Result<Option<SocketProperties>> {
        if name.kind() != UnitKind::Socket {
            return Ok(None);
        }
        self.properties(path, "Socket").await.map(Some)
    }

    /// The method and not the property `UnitFileState`, which systemd remembers from before.
    async fn unit_file_state(&self, name: &UnitName) -> zbus::Result<String> {
        match self.manager.get_unit_file_state(name.as_str()).await {
            Err(zbus::Error::FDO(error)) if matches!(*error, FileNotFound(_)) => Ok(String::new()),
            // the word of the property for a file, or a drop-in, that it cannot judge; a bus that
            // is gone fails the questions beside this one
            Err(zbus::Error::MethodError(..) | zbus::Error::FDO(_)) => Ok("bad".into()),
            answer => answer,
        }
    }

    /// All properties of one interface of a unit, by one call.
    async fn properties<T>(&self, path: &OwnedObjectPath, interface: &str) -> zbus::Result<T>
    where
        T: serde::de::DeserializeOwned + zbus::Type,
    {
        let reply = self
            .connection
            .call_method(
                Some("org.freedesktop.systemd1"),
                path,
                Some("org.freedesktop.DBus.Properties"),
                "GetAll",
                &format!("org.freedesktop.systemd1.{interface}"),
            )
            .await?;
        reply.body().deserialize()
    }

    /// See [`super::Systemd::search`].
    pub async fn search(&self) -> Result<UnitSearch, SystemdError> {
        let (folders, loaded) = refused(
            "tell where it looks for units",
            tokio::try_join!(
                self.manager.unit_path(),
                self.manager.units_load_timestamp_monotonic(),
            ),
        )?;
        Ok(UnitSearch {
            folders: folders.into_iter().map(PathBuf::from).collect(),
            loaded: on_todays_clock(loaded),
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

    /// See [`super::Systemd::queue_starts`].
    pub async fn queue_starts(&self, units: &[UnitName]) -> Result<(), SystemdError> {
        let what = format!("queue the start of {}", names(units));
        for unit in units {
            let queued = self.manager.start_unit(unit.as_str(), "replace").await;
            refused(&what, queued)?;
        }
        Ok(())
    }

    /// See [`super::Systemd::start_transient_scope`].
    ///
    /// The scope is made with `Delegate=yes`, so that whoever started the processes may set limits in
    /// it.
    pub async fn start_transient_scope(&self, request: &ScopeRequest) -> Result<(), SystemdError> {
        let what = format!("move processes into {}", request.name);
        let mut pinned = Vec::new();
        for process in &request.processes {
            pinned.push(descriptor(*process).ok_or_else(|| SystemdError::Gone {
                pid: process.pid,
                what: what.clone(),
            })?);
        }
        let numbers = request.processes.iter().map(|process| process.pid);
        let processes: Vec<_> = numbers.zip(pinned.iter().map(AsFd::as_fd)).collect();
        let new = NewScope {
            name: request.name.as_str(),
            slice: request.slice.as_str(),
            description: &request.description,
            processes: &processes,
            delegate: true,
            limits: &[],
        };
        let queue =
            async |manager: ManagerProxy<'static>| Ok(vec![scope::queue(&manager, &new).await?]);
        let results = within(&what, JOB_BOUND, self.queue_and_wait(queue)).await?;
        let results = refused(&what, results)?;
        match results.first() {
            Some(JobResult::Done) => Ok(()),
            result => Err(SystemdError::Job {
                kind: JobKind::Start,
                unit: request.name.to_string(),
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

/// A limit that is in force: systemd counts nothing without a time and a number.
fn limit(setting: &str, interval: Option<u64>, burst: Option<u32>) -> Option<RateLimit> {
    let (interval, burst) = (interval?, burst?);
    (interval > 0 && burst > 0).then(|| RateLimit {
        setting: setting.into(),
        interval,
        burst,
    })
}

/// A moment of the monotonic clock, in microseconds, as microseconds since 1970. By way of the
/// monotonic clock, because the other one may have been set since then.
fn on_todays_clock(monotonic: u64) -> Option<i64> {
    let microseconds = |clock| {
        let time = rustix::time::clock_gettime(clock);
        time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
    };
    let since = microseconds(ClockId::Monotonic) - i64::try_from(monotonic).ok()?;
    (monotonic > 0).then(|| microseconds(ClockId::Realtime) - since)
}

fn names(units: &[UnitName]) -> String {
    let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
    names.join(", ")
}

fn refused<T>(what: &str, answer: zbus::Result<T>) -> Result<T, SystemdError> {
    let what = what.into();
    answer.map_err(|error| {
        let is_lost = matches!(error, zbus::Error::InputOutput(_));
        let source = BusError(error);
        if is_lost {
            SystemdError::BusLost { what, source }
        } else {
            SystemdError::Refused { what, source }
        }
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
