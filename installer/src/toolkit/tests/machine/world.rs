//! What the toolkit sees of the machine.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::{CHILD, Deed, Machine, SERVICE, name};
use crate::effect::systemd::{JobKind, JobResult, ScopeRequest, Systemd, SystemdError};
use crate::effect::{
    Answer, BoxError, Clock, Files, FilesError, ForeignListener, Health, ProcessFacts, Processes,
    ProtectedProcesses, Status,
};
use crate::model::{
    End, FileImage, Fingerprint, Found, ProcessIdentity, ProtectedProcess, ServiceFacts, UnitFacts,
    UnitName, UnitSearch, Version,
};

/// How hard the toolkit looked.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Files that were hashed.
    hashed: Cell<usize>,
    /// As whom programs were asked of state.
    pub(super) questions: RefCell<Vec<Option<(u32, u32)>>>,
    /// How many services were asked for their health at the same time, each time.
    asked: RefCell<Vec<usize>>,
}

impl Machine {
    /// How many files have been hashed since the last question.
    pub(in super::super) fn hashed(&self) -> usize {
        self.looks.hashed.take()
    }

    /// How many services were asked at a time since the last question, each time.
    pub(in super::super) fn asked(&self) -> Vec<usize> {
        self.looks.asked.take()
    }
}

impl Systemd for Machine {
    fn reload(&self) -> Result<(), SystemdError> {
        self.systemd_effect(|| self.load())
    }

    fn unit(&self, name: &UnitName) -> Result<UnitFacts, SystemdError> {
        let units = self.units.borrow();
        let unit = units.get(name).cloned().unwrap_or_default();
        let word = |yes, good: &str, bad: &str| (if yes { good } else { bad }).to_owned();
        let service = name.as_str().ends_with(".service").then(|| ServiceFacts {
            kill_mode: Self::kill_mode(&unit),
            restarts: if self.dies_at.get().is_some_and(|at| self.time.get() >= at) {
                1
            } else {
                self.restarts.get()
            },
            user: self.user.borrow().clone(),
            was_stopped: unit.stopped,
            ..self.main_process(unit.runs.as_deref())
        });
        let service = service.map(|service| {
            if unit.active || !service.result.is_empty() {
                return service;
            }
            // it exited in order
            ServiceFacts {
                main_code: 1,
                result: "success".into(),
                ..service
            }
        });
        Ok(UnitFacts {
            load_state: word(unit.text.is_some(), "loaded", "not-found"),
            active_state: if self.starts_slowly.get() || self.is_held_up(name) {
                "activating".into()
            } else if unit.failed {
                "failed".into()
            } else {
                word(unit.active, "active", "inactive")
            },
            sub_state: String::new(),
            fragment: unit.text.map(|_| self.product.layout.unit(name)),
            drop_ins: unit.drop_ins.into_keys().collect(),
            unit_file_state: word(self.is_enabled(name), "enabled", "disabled"),
            needs_reload: false,
            has_job: false,
            active_since: 0,
            limits: Vec::new(),
            service,
        })
    }

    fn search(&self) -> Result<UnitSearch, SystemdError> {
        Ok(UnitSearch {
            folders: vec![self.product.layout.units.clone()],
            loaded: None,
        })
    }

    fn run_jobs(&self, kind: JobKind, names: &[UnitName]) -> Result<Vec<JobResult>, SystemdError> {
        if kind == JobKind::Restart && self.interrupt_at_restart.take() {
            self.interrupt.store(true, Ordering::Relaxed);
        }
        if kind == JobKind::Restart && self.ends_at_restart.take() {
            self.end_child();
        }
        let waits = |name: &UnitName| name.as_str().ends_with(".service");
        if kind != JobKind::Stop && self.holds_services.get() && names.iter().any(waits) {
            return Ok(vec![JobResult::Timeout; names.len()]);
        }
        self.jobs.set(self.jobs.get() + names.len());
        if kind == JobKind::Restart {
            let after = self.dies_after.take();
            self.dies_at.set(after.map(|after| self.time.get() + after));
        }
        self.systemd_effect(|| {
            self.restarts.set(0);
            let mut units = self.units.borrow_mut();
            names
                .iter()
                .map(|name| {
                    let unit = units.entry(name.clone()).or_default();
                    if kind != JobKind::Start {
                        self.stop(name, unit);
                    }
                    match kind {
                        JobKind::Stop => JobResult::Done,
                        // after a crash loop a start is refused
                        _ if unit.failed => JobResult::Failed,
                        _ => self.start(name, unit),
                    }
                })
                .collect()
        })
    }

    fn queue_starts(&self, names: &[UnitName]) -> Result<(), SystemdError> {
        assert!(self.holds_services.get(), "{names:?} need not wait");
        // those that are enabled start anyway once they may
        self.systemd_effect(|| self.jobs.set(self.jobs.get() + names.len()))
    }

    fn reset_failed(&self, name: &UnitName) -> Result<(), SystemdError> {
        self.systemd_effect(|| {
            self.units
                .borrow_mut()
                .entry(name.clone())
                .or_default()
                .failed = false;
        })
    }

    fn enable(&self, names: &[UnitName]) -> Result<(), SystemdError> {
        let folder = &self.product.layout.units;
        self.links_effect(|| {
            names
                .iter()
                .try_for_each(|name| self.ground.enable(folder, name.as_str()))
        })
    }

    fn disable(&self, names: &[UnitName]) -> Result<(), SystemdError> {
        let folder = &self.product.layout.units;
        self.links_effect(|| {
            names
                .iter()
                .try_for_each(|name| self.ground.disable(folder, name.as_str()))
        })
    }

    fn start_transient_scope(&self, scope: &ScopeRequest) -> Result<(), SystemdError> {
        if self.no_scopes.get() {
            return Err(SystemdError::Runtime(io::Error::other("no scopes here")));
        }
        self.systemd_effect(|| {
            let mut child = self.child.borrow_mut();
            if child.is_some() && scope.processes == [CHILD] {
                *child = Some(format!("/{}/{}", scope.slice, scope.name));
            }
        })
    }
}

impl Files for Machine {
    fn look(&self, path: &Path) -> Result<Found, FilesError> {
        let mut found = self.ground.look(path)?;
        // whoever runs the test stands for root
        if let Found::File(image) = &mut found {
            (image.uid, image.gid) = (0, 0);
        }
        Ok(found)
    }

    fn list(&self, folder: &Path) -> Result<Vec<OsString>, FilesError> {
        self.ground.list(folder)
    }

    fn same_tree(&self, left: &Path, right: &Path) -> Result<bool, FilesError> {
        self.ground.same_tree(left, right)
    }

    fn fingerprint(&self, path: &Path) -> Result<Option<Fingerprint>, FilesError> {
        self.looks.hashed.set(self.looks.hashed.get() + 1);
        let found = self.ground.fingerprint(path)?;
        let mode = |mode: u32| mode & !0o022 | 0o111;
        Ok(found.map(|found| Fingerprint {
            uid: 0,
            mode: mode(found.mode),
            ..found
        }))
    }

    fn folder_status(&self, _path: &Path) -> Result<Option<Status>, FilesError> {
        Ok(None)
    }

    fn status_changed(&self, path: &Path) -> Result<Option<i64>, FilesError> {
        self.ground.status_changed(path)
    }

    fn free_bytes(&self, _path: &Path) -> Result<u64, FilesError> {
        Ok(u64::MAX)
    }

    fn write_whole(&self, path: &Path, image: &FileImage) -> Result<(), FilesError> {
        self.file_effect(path, || self.ground.write_whole(path, image))
    }

    fn replace_link(&self, path: &Path, target: &Path) -> Result<(), FilesError> {
        self.file_effect(path, || self.ground.replace_link(path, target))
    }

    fn hard_link(&self, path: &Path, second: &Path) -> Result<(), FilesError> {
        self.file_effect(path, || self.ground.hard_link(path, second))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), FilesError> {
        self.file_effect(from, || self.ground.rename(from, to))
    }

    fn copy_tree(&self, from: &Path, to: &Path) -> Result<(), FilesError> {
        self.file_effect(from, || self.ground.copy_tree(from, to))
    }

    fn settle(&self, path: &Path) -> Result<(), FilesError> {
        self.file_effect(path, || self.ground.settle(path))
    }

    fn remove(&self, path: &Path) -> Result<(), FilesError> {
        self.file_effect(path, || self.ground.remove(path))
    }

    fn remove_if_empty(&self, folder: &Path) -> Result<(), FilesError> {
        self.file_effect(folder, || self.ground.remove_if_empty(folder))
    }
}

impl Processes for Machine {
    fn facts(&self, pid: u32) -> Option<ProcessFacts> {
        if pid == SERVICE {
            return Some(ProcessFacts {
                start_time: 1,
                control_group: String::new(),
                stopped: matches!(self.deed_on_new(), Deed::Stopped | Deed::StoppedAtStart),
            });
        }
        let control_group = self.child.borrow().clone().filter(|_| pid == CHILD.pid)?;
        Some(ProcessFacts {
            start_time: CHILD.start_time,
            control_group,
            stopped: false,
        })
    }

    fn end(&self, identity: ProcessIdentity) -> Result<(), BoxError> {
        assert_eq!(identity, CHILD);
        *self.child.borrow_mut() = None;
        Ok(())
    }
}

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        self.time.get()
    }

    fn pause(&self, time: Duration) {
        self.time.set(self.time.get() + time);
        match self.pauses_left.get() {
            Some(0) => self.interrupt.store(true, Ordering::Relaxed),
            Some(left) => self.pauses_left.set(Some(left - 1)),
            None => {}
        }
    }
}

/// The child, as the toolkit names it.
pub(in super::super) fn child_in(control_group: String) -> ProtectedProcess {
    ProtectedProcess {
        name: "child".into(),
        id: "child".into(),
        identity: CHILD,
        control_group,
    }
}

impl ProtectedProcesses for Machine {
    fn list(&self) -> Result<Vec<ProtectedProcess>, BoxError> {
        let late = self.child_is_late.replace(false);
        let group = self.child.borrow().clone().filter(|_| !late);
        Ok(group.map(child_in).into_iter().collect())
    }

    fn end_of(&self, protected: &ProtectedProcess) -> Result<Option<End>, BoxError> {
        assert_eq!(protected.identity, CHILD);
        Ok(self.child_end.get())
    }
}

impl Health for Machine {
    fn probe(&self, unit: &UnitName) -> Result<Answer, BoxError> {
        match self.deed_on_new() {
            Deed::Nothing => Ok(self.answer(unit)?.into()),
            Deed::Replaced => Err(ForeignListener {
                uid: 1000,
                pid: 4000,
            }
            .into()),
            Deed::Answered => Ok(Answer {
                version: Version::new(6, 6, 6),
                pid: Some(4000),
            }),
            _ => Err("no answer".into()),
        }
    }

    fn probe_all(&self, units: &[UnitName]) -> Vec<Result<Answer, BoxError>> {
        self.looks.asked.borrow_mut().push(units.len());
        units.iter().map(|unit| self.probe(unit)).collect()
    }

    fn known(&self) -> Result<Option<Vec<String>>, BoxError> {
        if self.forgets.get() && self.running().as_deref() == Some("0.1.1") {
            return Ok(Some(Vec::new()));
        }
        let child = self.child_lives().then(|| "child".to_owned());
        Ok(Some(child.into_iter().collect()))
    }
}

impl Machine {
    /// What is done to the version that is not the first.
    fn deed_on_new(&self) -> Deed {
        let deed = self.deed.get();
        if self.running().as_deref() == Some("0.1.0") {
            return Deed::Nothing;
        }
        deed
    }

    /// The service is on its way up, and its process is stopped.
    fn is_held_up(&self, unit: &UnitName) -> bool {
        unit.as_str() == "toyd.service" && self.deed_on_new() == Deed::StoppedAtStart
    }

    /// What systemd knows of the service's process.
    fn main_process(&self, runs: Option<&str>) -> ServiceFacts {
        let is_new = runs.is_none_or(|program| !program.starts_with("toyd 0.1.0\n"));
        let deed = self.deed.get();
        let ended = |main_code, main_status, result: &str| ServiceFacts {
            main_code,
            main_status,
            result: result.into(),
            ..ServiceFacts::default()
        };
        match deed {
            Deed::Killed | Deed::KilledAtStart if is_new => ended(2, 9, "signal"),
            Deed::Crashes if is_new => ended(3, 11, "core-dump"),
            Deed::ExitsAtStart if is_new => ended(1, 1, "exit-code"),
            Deed::Nothing => ServiceFacts::default(),
            _ => ServiceFacts {
                main_pid: SERVICE,
                ..ServiceFacts::default()
            },
        }
    }

    fn answer(&self, _unit: &UnitName) -> Result<Version, BoxError> {
        let units = self.units.borrow();
        let unit = units.get(&name("toyd.service")).ok_or("no unit")?;
        let program = unit.runs.as_ref().ok_or("it does not run")?;
        let (line, behaviour) = program.split_once('\n').ok_or("no program")?;
        let version = Version::from_version_line("toyd", line)?;
        if self.mute.borrow().as_deref() == Some(version.to_string().as_str()) {
            return Err("no answer any more".into());
        }
        match behaviour.trim_start_matches("wide-") {
            "deaf" | "grows" => Err("no answer".into()),
            "liar" => Ok(Version::new(6, 6, 6)),
            _ => Ok(version),
        }
    }
}
