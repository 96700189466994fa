//! The owner daemon: the owner's door to their VMs.
//!
//! Guarantees: it answers its own user, and root's questions; it holds no state, so it may end at
//! any time; what it hands on to the helper is the helper's to judge anew.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::protocol::client::{CallError, call};
use crate::protocol::server::{Answer, Caller, Service};
use crate::protocol::{Fault, Health, HelperRequest, Idempotence, OwnerRequest, Reply, limits};

/// The owner daemon.
pub struct OwnerService {
    /// Its version, for `Health`.
    pub version: String,
    /// The user that it runs as.
    pub uid: u32,
    /// The helper's socket.
    pub helper: PathBuf,
}

impl Service for OwnerService {
    type Request = OwnerRequest;

    async fn answer(
        &self,
        caller: Caller,
        request: OwnerRequest,
        descriptors: Vec<OwnedFd>,
    ) -> Answer {
        judge_caller(caller, self.uid, &request)?;
        let request = match request {
            OwnerRequest::Health {} => return Ok((Reply::Health(self.health()), Vec::new())),
            OwnerRequest::Run(new) => HelperRequest::Start(new),
            OwnerRequest::List {} => HelperRequest::List {},
            OwnerRequest::Log(which) => HelperRequest::Log(which),
            OwnerRequest::Stop(which) => HelperRequest::Stop(which),
            OwnerRequest::Delete(which) => HelperRequest::Delete(which),
        };
        self.hand_on(request, descriptors).await
    }
}

/// The owner may ask anything, root what only reads (health probes, `system status`).
fn judge_caller(caller: Caller, uid: u32, request: &OwnerRequest) -> Result<(), Fault> {
    if caller.uid == uid || (caller.uid == 0 && request.reads_only()) {
        Ok(())
    } else {
        Err(Fault::NotPermitted {
            reason: format!("this daemon serves uid {uid}, not uid {}", caller.uid),
        })
    }
}

impl OwnerService {
    fn health(&self) -> Health {
        Health {
            version: self.version.clone(),
            pid: std::process::id(),
            ready: true,
            refuses: None,
        }
    }

    async fn hand_on(&self, request: HelperRequest, descriptors: Vec<OwnedFd>) -> Answer {
        match request {
            HelperRequest::Health {} => {
                let (health, back) = self.ask(request, descriptors, limits::HEALTH).await?;
                Ok((Reply::Health(health), back))
            }
            HelperRequest::List {} => {
                let (list, back) = self.ask(request, descriptors, limits::READ).await?;
                Ok((Reply::List(list), back))
            }
            HelperRequest::Log(_) => {
                let (_, back): (serde_json::Value, _) =
                    self.ask(request, descriptors, limits::READ).await?;
                Ok((Reply::Log {}, back))
            }
            HelperRequest::Start(_) | HelperRequest::Stop(_) | HelperRequest::Delete(_) => {
                let (vm, back) = self.ask(request, descriptors, limits::CHANGE).await?;
                Ok((Reply::Vm(vm), back))
            }
        }
    }

    /// The helper's socket is systemd's: while the helper restarts, this waits.
    async fn ask<T: DeserializeOwned + std::fmt::Debug>(
        &self,
        request: HelperRequest,
        descriptors: Vec<OwnedFd>,
        bound: Duration,
    ) -> Result<(T, Vec<OwnedFd>), Fault> {
        let answer = call(&self.helper, request, &descriptors, bound).await;
        answer.map_err(|error| match error {
            CallError::Fault(fault) => fault,
            other => Fault::HelperAway {
                reason: other.to_string(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ByName;

    #[test]
    fn the_owner_may_everything_root_may_look_and_others_nothing() {
        let delete = || {
            OwnerRequest::Delete(ByName {
                name: "web".parse().unwrap(),
            })
        };
        for (uid, request, allowed) in [
            (1000, delete(), true),
            (1000, OwnerRequest::List {}, true),
            (0, OwnerRequest::Health {}, true),
            (0, OwnerRequest::List {}, true),
            (0, delete(), false),
            (1001, OwnerRequest::Health {}, false),
            (1001, OwnerRequest::List {}, false),
        ] {
            let judged = judge_caller(Caller { uid }, 1000, &request);
            assert_eq!(judged.is_ok(), allowed, "uid {uid}: {request:?}");
        }
    }
}
