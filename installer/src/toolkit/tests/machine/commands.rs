//! What people run on the machine.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::sets::Set;
use super::{Machine, name};
use crate::effect::{Effects, Lock};
use crate::journal::JournalError;
use crate::model::{
    FileImage, InstallMethod, Layout, Owner, Product, ProductBuilder, StateCheck, StateFiles,
    UnitSpec,
};
use crate::plan::Purge;
use crate::toolkit::keeper::by_kept_program;
use crate::toolkit::{
    InstallRequest, Outcome, Recovered, ReleaseFolder, Report, RescueLimits, Rescued,
    RestartRequest, RollbackRequest, Session, Silent, Status, ToolkitError, UninstallRequest,
    UpdateRequest, recover, rescue, status,
};
use crate::unit::Values;

pub(super) const SERVICE: &str = "[Unit]\nDescription=toy @version@\n[Service]\nExecStart=@programs@/toyd\n\
                       KillMode=process\n[Install]\nWantedBy=multi-user.target\n";

/// A second service, where a test asks for one.
const TWIN: &str = "toyd-twin.service";

pub(super) fn product(root: &Path) -> Product {
    let unit = |text| UnitSpec::new(name(text));
    ProductBuilder::new("toy", "any")
        .program("toyd")
        .unit(unit("toy.slice"))
        .unit(unit("toyd.socket").enabled())
        .unit(unit("toy-rescue.service").enabled())
        .unit(unit("toyd.service").enabled().stateful())
        .layout(Layout::new("toy").beneath(root))
        .slice(name("toy.slice"))
        .scope_prefix("toy-child-")
        .rescue(name("toy-rescue.service"))
        .state_files(StateFiles {
            folder: root.join("var/lib/toy/things"),
            name: "record.json".into(),
        })
        .state_check(StateCheck {
            unit: name("toyd.service"),
            program: "toyd".into(),
            words: vec!["--check-state".into()],
            as_owner: true,
        })
        .build()
        .expect("a product")
}

impl Machine {
    pub(super) fn release(&self, version: &str, behaviour: &str, folder: PathBuf) -> ReleaseFolder {
        let label = if behaviour == "mislabelled" {
            "9.9.9"
        } else {
            version
        };
        if let Some(set) = Set::of(behaviour) {
            return self.listed_release(version, behaviour, set, folder);
        }
        let mut service = SERVICE.replace("@version@", version);
        if behaviour == "bounded" {
            service = service.replace("KillMode=", "MemoryMax=64M\nKillMode=");
        }
        let files = [
            ("bin/toyd", format!("toyd {label}\n{behaviour}")),
            ("units/toyd.service.in", service),
            (
                "units/toyd.socket.in",
                "[Socket]\nListenStream=/run/toy\n".into(),
            ),
            ("units/toy.slice.in", "[Slice]\n".into()),
            (
                "units/toy-rescue.service.in",
                "[Service]\nExecStart=@programs@/toyd rescue\n".into(),
            ),
        ];
        let twin = self
            .product
            .units
            .iter()
            .any(|spec| spec.name == name(TWIN));
        let service_of_twin = twin.then(|| {
            let text = SERVICE.replace("@version@", version);
            ("units/toyd-twin.service.in", text)
        });
        if let Some(disk) = &self.disk {
            disk.exempt(true);
        }
        for (path, text) in files.into_iter().chain(service_of_twin) {
            let image = FileImage::public(text);
            let written = self.ground.write_whole(&folder.join(path), &image);
            written.expect("a file");
        }
        if let Some(disk) = &self.disk {
            disk.exempt(false);
        }
        ReleaseFolder {
            path: folder,
            version: version.parse().expect("a version"),
        }
    }

    fn values() -> Values {
        Values::new().with("programs", "/usr/local/bin")
    }

    fn effects(&self) -> Effects<'_> {
        Effects {
            files: self,
            systemd: self,
            processes: self,
            programs: self,
            clock: self,
            protected: self,
            health: self,
            interrupt: &self.interrupt,
        }
    }

    fn run<T>(
        &self,
        work: impl FnOnce(Session<'_>) -> Result<T, ToolkitError>,
    ) -> Result<T, ToolkitError> {
        self.interrupt.store(false, Ordering::Relaxed);
        work(Session::begin(&self.product, self.effects(), &mut Silent)?)
    }

    pub(in super::super) fn recover(&self) -> Result<(), ToolkitError> {
        self.run(|_toolkit| Ok(()))
    }

    pub(in super::super) fn install(&self, version: &str) -> Result<Outcome, ToolkitError> {
        self.install_for(version, 1000)
    }

    pub(in super::super) fn install_for(
        &self,
        version: &str,
        uid: u32,
    ) -> Result<Outcome, ToolkitError> {
        self.install_set(version, "", uid)
    }

    pub(in super::super) fn install_set(
        &self,
        version: &str,
        behaviour: &str,
        uid: u32,
    ) -> Result<Outcome, ToolkitError> {
        let release = self.release(version, behaviour, self.path("root/release"));
        self.run(|mut session| {
            session.install(&InstallRequest {
                owner: Owner {
                    user: "alice".into(),
                    uid,
                    gid: uid,
                    home: "/home/alice".into(),
                },
                release,
                values: Self::values(),
                channel: None,
                auto_update: None,
                method: InstallMethod::SelfInstalled,
                stop_guests: self.stop_guests.get(),
            })
        })
    }

    pub(in super::super) fn update(&self, version: &str) -> Result<Outcome, ToolkitError> {
        self.update_to(version, "")
    }

    pub(in super::super) fn update_to(
        &self,
        version: &str,
        behaviour: &str,
    ) -> Result<Outcome, ToolkitError> {
        self.run(|mut session| {
            let folder = self.product.layout.staging().join("fetched");
            session.update(&UpdateRequest {
                release: self.release(version, behaviour, folder),
                values: Self::values(),
                channel: "stable".into(),
                sequence: 7,
                released: Timestamp::UNIX_EPOCH,
                stop_guests: self.stop_guests.get(),
            })
        })
    }

    pub(in super::super) fn restart(&self) -> Result<Outcome, ToolkitError> {
        let request = RestartRequest {
            values: Self::values(),
            stop_guests: self.stop_guests.get(),
        };
        self.run(|mut session| session.restart(&request))
    }

    pub(in super::super) fn rollback(&self) -> Result<Outcome, ToolkitError> {
        let request = RollbackRequest {
            values: Self::values(),
            why: None,
            stop_guests: self.stop_guests.get(),
        };
        self.run(|mut session| session.rollback(&request))
    }

    pub(in super::super) fn status(&self) -> Result<Status, ToolkitError> {
        status(&self.product, &self.effects(), &|_| Some(Self::values()))
    }

    /// The same machine with a second service that must be well.
    pub(in super::super) fn with_two_services(mut self) -> Self {
        let twin = UnitSpec {
            name: name(TWIN),
            enable: true,
            stateful: true,
            optional: false,
        };
        self.product.units.push(twin);
        self
    }

    /// The rescue unit's program, until it ends.
    pub(in super::super) fn rescue(&self) -> Result<Rescued, ToolkitError> {
        let limits = RescueLimits::default();
        rescue(
            &self.product,
            self.effects(),
            &mut Silent,
            &|_| Self::values(),
            &limits,
        )
    }

    /// What the rescue unit does before the services start.
    pub(in super::super) fn recover_before_services(&self) -> Result<Recovered, ToolkitError> {
        self.interrupt.store(false, Ordering::Relaxed);
        recover(&self.product, self.effects(), &mut Silent)
    }

    /// Has the kept program recover a journal of a later schema, with little patience.
    pub(in super::super) fn recover_by_kept_program(
        &self,
        patience: Duration,
    ) -> Result<(), ToolkitError> {
        let layout = &self.product.layout;
        let lock = Lock::take(&layout.lock)?;
        let journal = JournalError::Schema {
            path: layout.journal(),
            found: 2,
        };
        by_kept_program(
            &self.product,
            &self.effects(),
            &lock,
            journal,
            false,
            patience,
        )
    }

    /// The rescue unit's program, until it ends, with what it tells.
    pub(in super::super) fn rescue_told(
        &self,
        told: &mut dyn Report,
    ) -> Result<Rescued, ToolkitError> {
        let limits = RescueLimits::default();
        let values = |_: &_| Self::values();
        rescue(&self.product, self.effects(), told, &values, &limits)
    }

    pub(in super::super) fn uninstall(&self, purge: Purge) -> Result<Outcome, ToolkitError> {
        self.run(|session| {
            session.uninstall(UninstallRequest {
                purge,
                stop_guests: self.stop_guests.get(),
            })
        })
    }
}
