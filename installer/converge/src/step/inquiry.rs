//! Looks at services that gave no good answer.

use std::time::Duration;

use banger_installer_host::causes;

use crate::effect::systemd::SystemdError;
use crate::effect::{Answer, BoxError, Effects, ForeignListener};
use crate::model::{UnitName, Version};
use crate::plan::{Evidence, Inquiry, Outside, SILENCE};

/// Between two close looks: less than the 200 ms for which systemd shows how a process ended, before
/// it starts the next.
pub(super) const CLOSELY: Duration = Duration::from_millis(20);

/// No answer of the service itself.
#[derive(Debug)]
pub struct Silence {
    /// Why.
    pub source: BoxError,
    /// Somebody else answered, or listens.
    foreign: bool,
}

/// An answer, once it is shown to be the service's: by the product, which knows who listens, and by
/// the process that gave it, which must be the main one.
///
/// # Errors
/// When systemd cannot say whose process that is.
pub fn proven(
    unit: &UnitName,
    answer: Result<Answer, BoxError>,
    effects: &Effects<'_>,
) -> Result<Result<Version, Silence>, SystemdError> {
    let Answer { version, pid } = match answer {
        Ok(answer) => answer,
        Err(source) => {
            let foreign = is_foreign(source.as_ref());
            return Ok(Err(Silence { source, foreign }));
        }
    };
    let Some(pid) = pid else {
        return Ok(Ok(version));
    };
    let service = effects.systemd.unit(unit)?.service;
    let main_pid = service.map_or(0, |service| service.main_pid);
    if main_pid == pid {
        return Ok(Ok(version));
    }
    Ok(Err(Silence {
        source: format!("pid {pid} answers, and the main process of {unit} is {main_pid}").into(),
        foreign: main_pid != 0,
    }))
}

fn is_foreign(error: &(dyn std::error::Error + 'static)) -> bool {
    let is_listener = <dyn std::error::Error>::is::<ForeignListener>;
    is_listener(error) || causes(error).any(is_listener)
}

/// Looks into the silence of a service that runs as another user than root; none for the others,
/// whose silence is always their own.
///
/// # Errors
/// When systemd cannot describe the service.
pub fn look(
    unit: &UnitName,
    foreign: bool,
    inquiry: &mut Inquiry,
    effects: &Effects<'_>,
) -> Result<Option<Evidence>, SystemdError> {
    let facts = effects.systemd.unit(unit)?;
    if !facts.is_owner_controlled() {
        return Ok(None);
    }
    let Some(service) = &facts.service else {
        return Ok(None);
    };
    let process = effects.processes.facts(service.main_pid);
    let outside = Outside {
        stopped: process.is_some_and(|process| process.stopped),
        foreign,
    };
    Ok(Some(inquiry.look(
        effects.clock.monotonic(),
        service,
        outside,
    )))
}

/// Looks closely, until it is clear whether the program of a service is to blame for its silence:
/// gives what shows it, and none when nothing does.
pub(crate) fn conclude(
    unit: &UnitName,
    foreign: bool,
    inquiry: &mut Inquiry,
    effects: &Effects<'_>,
) -> Result<Option<String>, SystemdError> {
    let until = effects.clock.monotonic() + SILENCE + SILENCE;
    loop {
        match look(unit, foreign, inquiry, effects)? {
            None => return Ok(Some("it is silent".into())),
            Some(Evidence::Failed(why)) => return Ok(Some(why)),
            Some(Evidence::Silent(time)) if time >= SILENCE => {
                return Ok(Some("it runs and does not answer".into()));
            }
            Some(Evidence::Outside(_)) => return Ok(None),
            Some(_) => {}
        }
        if effects.clock.monotonic() >= until {
            return Ok(None);
        }
        effects.clock.pause(CLOSELY);
    }
}

impl Silence {
    /// As [`conclude`], for this silence.
    pub(crate) fn conclude(
        &self,
        unit: &UnitName,
        inquiry: &mut Inquiry,
        effects: &Effects<'_>,
    ) -> Result<Option<String>, SystemdError> {
        conclude(unit, self.foreign, inquiry, effects)
    }

    /// As [`look`], for this silence.
    ///
    /// # Errors
    /// When systemd cannot describe the service.
    pub fn look(
        &self,
        unit: &UnitName,
        inquiry: &mut Inquiry,
        effects: &Effects<'_>,
    ) -> Result<Option<Evidence>, SystemdError> {
        look(unit, self.foreign, inquiry, effects)
    }
}
