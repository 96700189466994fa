//! How an installed program lets a release's own make the plan and carry it out.
//!
//! Guarantees: the program was verified, and has said its version without any rights, before it is
//! called; and what it says that it would do must be of that product and version before it may change
//! anything.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use banger_installer_host::HANDOVER;

use super::{Planner, ReleaseInfo, Report, Session, ToolkitError};
use crate::effect::systemd::BeforeServices;
use crate::effect::{BoxError, Call, Called, Effects, HandoverError, Lock, hand_over};
use crate::journal;
use crate::model::{Product, Version};
use crate::observe::Freshness;
use crate::plan::CheckPrograms;
use crate::updater::Staged;

/// How long a program may take to make a plan: as long as systemd may to read its units, and more.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What one program asks of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Handed {
    /// Plan an update to the release that it belongs to, and carry it out.
    Update(Box<HandedUpdate>),
    /// Roll back, or finish, an interrupted operation.
    Recover {
        /// [`HANDOVER`].
        handover: u32,
        /// No service runs, and none may be waited for: the host is starting.
        #[serde(default)]
        before_services: bool,
    },
}

/// An update whose release was verified and unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HandedUpdate {
    /// [`HANDOVER`].
    pub handover: u32,
    /// Where the release lies.
    pub release: PathBuf,
    /// What its manifest says of it.
    #[serde(flatten)]
    pub info: ReleaseInfo,
    /// End protected processes that would be killed and cannot be moved, instead of refusing.
    pub stop_guests: bool,
    /// What the product's own command line was told beyond that.
    pub options: serde_json::Value,
}

/// What the called program says before it changes anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Planned {
    handover: u32,
    product: String,
    version: Version,
}

/// An operation that was handed to this program.
pub struct Taken {
    handed: Handed,
    called: Called,
}

/// Takes over from the program that calls: what it asks, and its lock.
///
/// # Errors
/// [`ToolkitError::Handover`].
pub fn take_over(product: &Product, numbers: &str) -> Result<(Taken, Lock), ToolkitError> {
    let (called, lock) = Called::take_over(numbers, &product.layout.lock)?;
    let handed = serde_json::from_slice(&called.request)
        .map_err(|error| HandoverError::NotCalled(std::io::Error::other(error)))?;
    Ok((Taken { handed, called }, lock))
}

impl Taken {
    /// What is asked.
    pub const fn handed(&self) -> &Handed {
        &self.handed
    }

    /// Says that the plan is made, and waits for the word to go on.
    ///
    /// # Errors
    /// [`ToolkitError::Handover`]: then nothing may be changed.
    pub fn agree(&mut self, product: &Product, version: &Version) -> Result<(), ToolkitError> {
        let planned = Planned {
            handover: HANDOVER,
            product: product.name.clone(),
            version: version.clone(),
        };
        let line = serde_json::to_vec(&planned)
            .map_err(|error| HandoverError::NotCalled(std::io::Error::other(error)))?;
        Ok(self.called.agree(&line)?)
    }
}

/// Why a program cannot be let go on with a recovery: it is not of that product. Which version it is
/// does not matter, since it was kept because it can read the journal.
pub(super) fn check_recoverer(said: &[u8], product: &str) -> Result<(), BoxError> {
    let planned: Planned = serde_json::from_slice(said)?;
    if planned.handover == HANDOVER && planned.product == product {
        return Ok(());
    }
    let (name, handover) = (planned.product, planned.handover);
    Err(
        format!("it says that it is {name}, handover {handover}; expected {product}, {HANDOVER}")
            .into(),
    )
}

/// Why what a program says cannot be followed.
fn check(said: &[u8], product: &str, version: &Version) -> Result<(), BoxError> {
    let planned: Planned = serde_json::from_slice(said)?;
    let expected = Planned {
        handover: HANDOVER,
        product: product.into(),
        version: version.clone(),
    };
    if planned == expected {
        return Ok(());
    }
    Err(format!(
        "it says that it is {} {}; expected {product} {version}",
        planned.product, planned.version
    )
    .into())
}

impl Planner<'_> {
    /// Lets the release's own program plan the update, show it, and carry it out. `options` is what the
    /// product's command line was told beyond `stop_guests` (see [`Planner::plan`]). Gives the
    /// program's exit status; what it had to say, it has said.
    ///
    /// # Errors
    /// [`ToolkitError::NoDelegate`], for a release that does not plan for itself;
    /// [`ToolkitError::Handover`], [`ToolkitError::LaterHandover`]: nothing was changed.
    /// [`ToolkitError::Program`], when it does not say the right version.
    pub fn hand_over(
        &self,
        staged: &Staged<'_>,
        stop_guests: bool,
        options: serde_json::Value,
    ) -> Result<ExitStatus, ToolkitError> {
        let list = staged.list.as_ref().ok_or(ToolkitError::NoDelegate)?;
        let (version, release) = (staged.release.version.clone(), staged.release.path.clone());
        if list.handover != HANDOVER {
            return Err(ToolkitError::LaterHandover { version });
        }
        let handed = HandedUpdate {
            handover: HANDOVER,
            release: release.clone(),
            info: staged.info.clone(),
            stop_guests,
            options,
        };
        let delegate = self.product.delegate.as_ref();
        let delegate = delegate.ok_or(ToolkitError::NoDelegate)?;
        let folder = release.join("bin");
        // asked without any rights, before it gets them all
        let check = CheckPrograms {
            folder: folder.clone(),
            programs: vec![delegate.program.clone()],
            version: version.clone(),
        };
        let asked = check.ask(&self.effects);
        asked.map_err(|error| ToolkitError::Program(Box::new(error)))?;
        let program = folder.join(&delegate.program);
        let status = self.call(&program, &Handed::Update(Box::new(handed)), &version)?;
        Ok(status)
    }

    fn call(
        &self,
        program: &Path,
        handed: &Handed,
        version: &Version,
    ) -> Result<ExitStatus, ToolkitError> {
        call(
            self.product,
            &self.effects,
            &self.lock,
            program,
            handed,
            PATIENCE,
            &mut |said| check(said, &self.product.name, version),
        )
    }
}

pub(super) fn call(
    product: &Product,
    effects: &Effects<'_>,
    lock: &Lock,
    program: &Path,
    handed: &Handed,
    patience: Duration,
    accept: &mut dyn FnMut(&[u8]) -> Result<(), BoxError>,
) -> Result<ExitStatus, ToolkitError> {
    let delegate = product.delegate.as_ref().ok_or(ToolkitError::NoDelegate)?;
    let request = serde_json::to_vec(handed)
        .map_err(|error| HandoverError::NotCalled(std::io::Error::other(error)))?;
    let call = Call {
        program,
        words: &delegate.words,
        lock,
        request: &request,
        patience,
        interrupt: effects.interrupt,
    };
    Ok(hand_over(&call, accept)?)
}

impl<'a> Session<'a> {
    /// The operation of another program, whose lock this one shares now, carried on by this one:
    /// `program`, which is kept until nothing is left that only it can read.
    pub fn carry_on(
        product: &'a Product,
        effects: Effects<'a>,
        report: &'a mut dyn Report,
        lock: Lock,
        program: PathBuf,
    ) -> Self {
        Self {
            planner: Planner::new(product, effects, Freshness::Reload, lock),
            report,
            program: Some(program),
        }
    }

    /// Rolls back, or finishes, what this very program, or one like it, began.
    ///
    /// # Errors
    /// [`ToolkitError`]; the journal stays.
    pub fn recover(&mut self) -> Result<(), ToolkitError> {
        let Planner {
            product, effects, ..
        } = &self.planner;
        let services: Vec<_> = product.stateful_services().cloned().collect();
        journal::recover(&product.layout.journal(), &services, effects, self.report)?;
        Ok(())
    }

    /// The same at a boot, while no service runs and none may be waited for.
    ///
    /// # Errors
    /// [`ToolkitError`]; the journal stays.
    pub fn recover_before_services(&mut self) -> Result<(), ToolkitError> {
        let Planner {
            product, effects, ..
        } = &self.planner;
        let systemd = BeforeServices::new(effects.systemd, product.rescue.as_ref());
        let effects = Effects {
            systemd: &systemd,
            ..*effects
        };
        journal::recover_before_services(&product.layout.journal(), &effects, self.report)?;
        Ok(())
    }
}

impl<'a> Planner<'a> {
    /// A planner that shows what the operation of another program would do.
    pub const fn carry_on(product: &'a Product, effects: Effects<'a>, lock: Lock) -> Self {
        Self::new(product, effects, Freshness::AsLoaded, lock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_handed_over_in_the_form_that_every_version_reads() {
        let wire = serde_json::json!({
            "ask": "update", "handover": 1, "release": "/usr/local/lib/toy/.staging/0.2.0",
            "version": "0.2.0", "channel": "stable", "sequence": 7,
            "released": "2026-11-01T00:00:00Z", "signed_by": ["6F2A00112233445C"],
            "urgency": "high", "notes": "- A hole.\n", "stop_guests": false,
            "options": { "yes": true },
        });
        let handed: Handed = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&handed).unwrap(), wire);
        let Handed::Update(update) = handed else {
            panic!("{handed:?}");
        };
        assert_eq!(update.info.version, Version::new(0, 2, 0));
    }

    #[test]
    fn only_the_plan_of_that_product_and_version_is_followed() {
        let version = Version::new(0, 2, 0);
        let right = br#"{"handover":1,"product":"toy","version":"0.2.0"}"#;
        check(right, "toy", &version).unwrap();
        for wrong in [
            &b"garbage"[..],
            b"{}",
            br#"{"handover":1,"product":"toy","version":"0.2.1"}"#,
            br#"{"handover":1,"product":"boy","version":"0.2.0"}"#,
            br#"{"handover":2,"product":"toy","version":"0.2.0"}"#,
        ] {
            assert!(check(wrong, "toy", &version).is_err(), "{wrong:?}");
        }
    }
}
