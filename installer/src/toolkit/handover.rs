//! How an installed program lets a release's own make the plan and carry it out.
//!
//! Guarantees: the program was verified, and has said its version without any rights, before it is
//! called; what it says that it would do must be of that product and version before it may change
//! anything; and an operation that another program began is rolled back by one that can read its
//! record.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use banger_installer_host::HANDOVER;

use super::{Planner, ReleaseInfo, Report, Session, ToolkitError};
use crate::effect::{
    BoxError, Call, Called, Effects, Files, HandoverError, Lock, hand_over, trust,
};
use crate::journal::{self, JournalError};
use crate::model::{Found, Product, Version};
use crate::observe::Freshness;
use crate::plan::CheckPrograms;
use crate::updater::Staged;

/// How long a program may take to make a plan: as long as systemd may to read its units, and more.
const PATIENCE: Duration = Duration::from_secs(60);

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
            &mut |said| check(said, &self.product.name, version),
        )
    }
}

fn call(
    product: &Product,
    effects: &Effects<'_>,
    lock: &Lock,
    program: &Path,
    handed: &Handed,
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
        patience: PATIENCE,
        interrupt: effects.interrupt,
    };
    Ok(hand_over(&call, accept)?)
}

/// Rolls back, or finishes, what an interrupted operation left. A record that this program cannot read
/// is for the program that wrote it, which was kept for that.
///
/// # Errors
/// [`ToolkitError`]; the record stays.
pub(super) fn recover(
    product: &Product,
    effects: &Effects<'_>,
    lock: &Lock,
    report: &mut dyn Report,
) -> Result<(), ToolkitError> {
    let services: Vec<_> = product.stateful_services().cloned().collect();
    let path = product.layout.journal();
    let error = match journal::recover(&path, &services, effects, report) {
        Ok(_) => return forget_keeper(product, effects),
        Err(error @ (JournalError::Schema { .. } | JournalError::Damaged { .. })) => error,
        Err(error) => return Err(error.into()),
    };
    let keeper = product.layout.keeper();
    let Found::File(image) = effects.files.look(&keeper)? else {
        return Err(error.into());
    };
    if trust(&keeper, &image).is_err() || product.delegate.is_none() {
        return Err(error.into());
    }
    let handed = Handed::Recover { handover: HANDOVER };
    let status = call(product, effects, lock, &keeper, &handed, &mut |_| Ok(()))?;
    if status.success() && effects.files.look(&path)? == Found::Missing {
        return forget_keeper(product, effects);
    }
    Err(error.into())
}

/// Keeps a program that can read the record of what it is about to do, as long as there is one.
pub(super) fn keep(
    product: &Product,
    files: &dyn Files,
    program: &Path,
) -> Result<(), ToolkitError> {
    let keeper = product.layout.keeper();
    files.remove(&keeper)?;
    Ok(files.hard_link(program, &keeper)?)
}

/// The program that was kept goes when there is no record left for it.
pub(super) fn forget_keeper(product: &Product, effects: &Effects<'_>) -> Result<(), ToolkitError> {
    let keeper = product.layout.keeper();
    let files = effects.files;
    if files.look(&keeper)? != Found::Missing
        && files.look(&product.layout.journal())? == Found::Missing
    {
        files.remove(&keeper)?;
    }
    Ok(())
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
    /// [`ToolkitError`]; the record stays.
    pub fn recover(&mut self) -> Result<(), ToolkitError> {
        let Planner {
            product, effects, ..
        } = &self.planner;
        let services: Vec<_> = product.stateful_services().cloned().collect();
        journal::recover(&product.layout.journal(), &services, effects, self.report)?;
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
