//! The health call of the toolkit: does the daemon of a unit work, and which version is it?

use std::path::Path;
use std::time::Duration;

use banger_installer::effect::Answer;
use banger_installer::model::{UnitName, VersionError};

use crate::product::{HELPER_SERVICE, HELPER_SOCKET, OWNER_SERVICE, OWNER_SOCKET};
use crate::protocol::client::{CallError, call_service};
use crate::protocol::{
    Health, HelperRequest, ListVms, OwnerRequest, StopVm, VmList, VmState, VmSummary,
};

/// The most pages of a list that are asked for: far more than a host can run VMs.
const PAGES: usize = 10_000;

/// Why a daemon is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// No daemon of banger.
    #[error("{0} has no health to ask for")]
    UnknownUnit(UnitName),
    /// It does not answer.
    #[error("{unit} does not answer")]
    NoAnswer {
        /// The unit.
        unit: UnitName,
        /// Why.
        #[source]
        source: Box<CallError>,
    },
    /// Its version is none.
    #[error("{unit} names no version")]
    Version {
        /// The unit.
        unit: UnitName,
        /// What it named.
        #[source]
        source: VersionError,
    },
    /// Its list of VMs has no end.
    #[error("the list of VMs of {0} has no end")]
    Endless(UnitName),
    /// It answers before it is ready.
    #[error("{0} is not ready")]
    NotReady(UnitName),
    /// No runtime for the call.
    #[error("cannot make the call")]
    Io(#[from] std::io::Error),
}

/// Calls the daemon of `unit` over its socket, within `timeout` in all. The socket must be the service
/// manager's: the owner's daemon has its own in a folder of hers.
///
/// # Errors
/// [`HealthError`].
pub fn probe(unit: &UnitName, timeout: Duration) -> Result<Answer, HealthError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let no_answer = |source| HealthError::NoAnswer {
        unit: unit.clone(),
        source: Box::new(source),
    };
    let health = match unit.as_str() {
        OWNER_SERVICE => runtime.block_on(ask(OWNER_SOCKET, OwnerRequest::Health {}, timeout)),
        HELPER_SERVICE => runtime.block_on(ask(HELPER_SOCKET, HelperRequest::Health {}, timeout)),
        _ => return Err(HealthError::UnknownUnit(unit.clone())),
    }
    .map_err(no_answer)?;
    if !health.ready {
        return Err(HealthError::NotReady(unit.clone()));
    }
    let version = health.version.parse();
    let version = version.map_err(|source| HealthError::Version {
        unit: unit.clone(),
        source,
    })?;
    Ok(Answer {
        version,
        pid: Some(health.pid),
    })
}

async fn ask<R>(socket: &str, request: R, bound: Duration) -> Result<Health, CallError>
where
    R: crate::protocol::Idempotence + serde::Serialize + std::fmt::Debug,
{
    call_service(Path::new(socket), request, bound).await
}

/// The ids of the VMs that the helper holds for its own and not ended: one that is being stopped, as
/// its owner asked for, is known still. Within `timeout` for each page of its list.
///
/// # Errors
/// [`HealthError::NoAnswer`].
pub fn known(unit: &UnitName, timeout: Duration) -> Result<Vec<String>, HealthError> {
    let mut ids = Vec::new();
    let mut which = ListVms::default();
    for _ in 0..PAGES {
        let list: VmList = ask_helper(unit, HelperRequest::List(which), timeout)?;
        let known = list.vms.into_iter().filter(|vm| {
            matches!(
                vm.state,
                VmState::Running | VmState::Starting | VmState::Stopping
            )
        });
        ids.extend(known.filter_map(|vm| Some(vm.id?.to_string())));
        match list.next {
            Some(next) => which = ListVms { after: Some(next) },
            None => return Ok(ids),
        }
    }
    Err(HealthError::Endless(unit.clone()))
}

/// Has the helper stop a VM: Ctrl-Alt-Del, then signals. `timeout` bounds all of it.
///
/// # Errors
/// [`HealthError::NoAnswer`], also when no VM has that name.
pub fn stop(unit: &UnitName, which: StopVm, timeout: Duration) -> Result<(), HealthError> {
    let _gone: VmSummary = ask_helper(unit, HelperRequest::Stop(which), timeout)?;
    Ok(())
}

fn ask_helper<Reply>(
    unit: &UnitName,
    request: HelperRequest,
    timeout: Duration,
) -> Result<Reply, HealthError>
where
    Reply: serde::de::DeserializeOwned + std::fmt::Debug,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = call_service(Path::new(HELPER_SOCKET), request, timeout);
    runtime
        .block_on(answer)
        .map_err(|source| HealthError::NoAnswer {
            unit: unit.clone(),
            source: Box::new(source),
        })
}
