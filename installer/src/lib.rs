//! Installs, updates, verifies, rolls back and removes systemd services with protected children.
//!
//! A product is a folder of programs and unit templates, and a description of them. The toolkit brings
//! it onto a host and keeps it there: every change is planned first, written down before it is made,
//! checked afterwards, and reverted as a whole when something fails. *Protected processes*, the
//! children that the product names, keep their pid and their start time through all of it.
//!
//! # A product in three parts
//!
//! **1. A description.** Names, programs and units; what is not said is as most products want it.
//!
//! ```
//! use banger_installer::model::{Hint, Product, ProductBuilder, ProductError, UnitSpec};
//!
//! fn acme() -> Result<Product, Box<dyn std::error::Error>> {
//!     Ok(ProductBuilder::new("acme", "x86_64-unknown-linux-gnu")
//!         .program("acmed")
//!         // units start in the order in which they are named
//!         .unit(UnitSpec::new("acme.slice".parse()?))
//!         .unit(UnitSpec::new("acme-rescue.service".parse()?).enabled())
//!         // its children outlive it, and it is asked how it is after each start
//!         .unit(UnitSpec::new("acmed.service".parse()?).enabled().stateful())
//!         .slice("acme.slice".parse()?)
//!         .rescue("acme-rescue.service".parse()?)
//!         // an error tells what would help; which command that is only the product knows
//!         .hint_text(|hint| match hint {
//!             Hint::Install => "sudo acmectl install".into(),
//!             other => other.to_string(),
//!         })
//!         .build()?)
//! }
//!
//! let acme = acme()?;
//! assert_eq!(acme.layout.receipt().to_str(), Some("/etc/acme/install.json"));
//! assert_eq!(acme.hint_text.of(&Hint::Install), "sudo acmectl install");
//!
//! // what could not work is refused before anything is done with it
//! let twice = UnitSpec::new("acmed.service".parse()?);
//! let refused = ProductBuilder::new("acme", "any").program("acmed").units([twice.clone(), twice]);
//! assert!(matches!(refused.build(), Err(ProductError::UnitTwice { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **2. A release.** A folder with `bin/acmed`, whose `--version` prints `acmed 1.2.3`, and a template
//! `units/NAME.in` for each unit. Templates are filled with the product's own values, escaped by
//! systemd's rules, and read back:
//!
//! ```
//! use banger_installer::unit::{Values, parse, render};
//!
//! let template = "[Service]\nExecStart=@programs@/acmed\nKillMode=process\n";
//! let text = render(template, &Values::new().with("programs", "/usr/local/bin"))?;
//! let unit = parse(&text)?;
//! assert_eq!(unit.values("Service", "ExecStart"), ["/usr/local/bin/acmed"]);
//! // a stateful service must leave its children alone when it stops; the toolkit asks systemd, too
//! assert_eq!(unit.values("Service", "KillMode"), ["process"]);
//! // a placeholder without a value is no unit
//! assert!(render(template, &Values::new()).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **3. Two answers.** Which processes are protected, and how a service is:
//!
//! ```
//! use banger_installer::effect::{Answer, BoxError, Health, ProtectedProcesses};
//! use banger_installer::model::{ProcessIdentity, ProtectedProcess, UnitName, Version};
//!
//! /// The jobs that acmed has started, and whether it answers.
//! struct Acme {
//!     jobs: Vec<ProtectedProcess>,
//!     answers: Option<Version>,
//! }
//!
//! impl ProtectedProcesses for Acme {
//!     fn list(&self) -> Result<Vec<ProtectedProcess>, BoxError> {
//!         Ok(self.jobs.clone())
//!     }
//! }
//!
//! impl Health for Acme {
//!     fn probe(&self, _unit: &UnitName) -> Result<Answer, BoxError> {
//!         // a real one asks over a socket, within a short bound
//!         let version = self.answers.clone().ok_or("no answer yet")?;
//!         Ok(version.into())
//!     }
//! }
//!
//! let job = ProtectedProcess {
//!     name: "nightly".into(),
//!     id: "7".into(),
//!     identity: ProcessIdentity { pid: 4711, start_time: 1234 },
//!     control_group: "/system.slice/acmed.service".into(),
//! };
//! let acme = Acme { jobs: vec![job], answers: Some(Version::new(1, 2, 3)) };
//! assert!(acme.list()?[0].lives_in(&"acmed.service".parse()?));
//! assert_eq!(acme.probe(&"acmed.service".parse()?)?.version, Version::new(1, 2, 3));
//! # Ok::<(), BoxError>(())
//! ```
//!
//! # An install and an update
//!
//! ```no_run
//! use std::sync::atomic::AtomicBool;
//!
//! use banger_installer::effect::{Health, NothingProtected};
//! use banger_installer::model::{Owner, Product, Version};
//! use banger_installer::plan::Decision;
//! use banger_installer::toolkit::{HostSide, InstallRequest, ReleaseFolder, Silent};
//! use banger_installer::unit::Values;
//! use banger_installer::{Session, Updater};
//!
//! fn change(product: &Product, health: &dyn Health) -> Result<(), Box<dyn std::error::Error>> {
//!     let side = HostSide::connect()?;
//!     let interrupt = AtomicBool::new(false);
//!     let effects = side.effects(&NothingProtected, health, &interrupt);
//!     let values = || Values::new().with("programs", "/usr/local/bin");
//!     let owner = Owner { user: "acme".into(), uid: 990, gid: 990, home: "/var/lib/acme".into() };
//!
//!     // takes the lock, and reverts or finishes what an interrupted operation left
//!     let mut report = Silent;
//!     let mut session = Session::begin(product, effects, &mut report)?;
//!     let first = ReleaseFolder::new("/root/acme-1.2.3", Version::new(1, 2, 3));
//!     session.install(&InstallRequest::new(owner, first, values()))?;
//!
//!     // each of these can be made by the one before it alone: what is carried out was planned for
//!     // bytes that a trusted key signed
//!     let candidate = Updater::new(product).check(&session)?;
//!     if *candidate.decision() == Decision::Take {
//!         let staged = candidate.download(session.planner(), &mut ())?;
//!         let prepared = session.planner().plan(&staged, values(), false)?;
//!         println!("{}", prepared.preview().plan);
//!         prepared.execute(&mut session)?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! What happens in an update, in this order:
//!
//! 1. The release's programs are asked for their version, as nobody and without a network. The host is
//!    observed, and a plan made of both: a list of steps that can be shown ([`plan::Plan`]).
//! 2. Each step is written to the journal, synced, before it acts. The version is published beside the
//!    old one, units are written, systemd reloads them, and says which `KillMode` is in force;
//!    protected processes that a stop could reach are moved into scopes of their own.
//! 3. The rescue is started, `current` is switched by one rename, and the services restart.
//! 4. Each stateful service must answer with the new version, and each protected process must be the
//!    one that it was. Otherwise all steps are reverted, last first.
//! 5. For a minute the version is on probation: the rescue rolls back one that exits, falls silent or
//!    answers as another version.
//!
//! # What is promised
//!
//! - An operation succeeds as a whole or leaves the host as it was, whenever its process or the machine
//!   dies: the next operation, the rescue or the next boot finishes or reverts it.
//! - No service is stopped before each protected process is known to outlive the stop.
//! - One operation at a time: the second is told who holds the lock ([`toolkit::ToolkitError::Lock`]).
//! - What was edited, overruled by a drop-in or is not loaded is found ([`plan::Finding`]) and
//!   repaired first.
//! - Nothing here prints, and no error names a command: an error has a kind ([`ErrorKind`]), which
//!   is an exit code, and a hint ([`model::Hint`]), which the product says in its own words.
//!
//! Not promised: that a process outlives what others do to it, or that state which a new version of the
//! *product* has rewritten can be read by the old one, the small files apart that the description names
//! ([`model::StateFiles`]).
//!
//! Releases come from sources that [`Updater`] asks one by one; [`fetch`] and [`verify`] are what it stands on.
//! The examples `toy` and `httpd` are whole products; the first is a script with a child, the second
//! serves HTTP with Debian's lighttpd. The parts stand in crates of their own, under the names that
//! they have here.

pub mod model;
pub mod toolkit;
pub mod updater;

pub use banger_installer_converge::{effect, plan, report};
use banger_installer_converge::{engine, observe, step};
// the tests of what lies on disks read it; no product needs it
#[doc(hidden)]
pub use banger_installer_converge::journal;
pub use banger_installer_fetch as fetch;
pub use banger_installer_host::{ErrorKind, causes, error_kind, in_one_line};
pub use banger_installer_systemd::unit;
pub use banger_installer_trust as verify;
pub use toolkit::{Outcome, Planner, Prepared, Session};
pub use updater::{Candidate, Staged, Updater};
