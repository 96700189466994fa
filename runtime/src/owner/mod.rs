//! The owner daemon: the owner's entry point to their VMs.
//!
//! Guarantees: it answers its own user, and root's questions; it holds no state, so it may end at
//! any time; what it hands on to the helper is the helper's to decide anew.

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

    fn admit(&self, caller: Caller) -> Result<(), Fault> {
        check_caller(caller, self.uid)
    }

    async fn answer(
        &self,
        caller: Caller,
        request: OwnerRequest,
        descriptors: Vec<OwnedFd>,
    ) -> Answer {
        check_request(caller, self.uid, &request)?;
        let request = match request {
            OwnerRequest::Health {} => return Ok((Reply::Health(self.health().await), Vec::new())),
            OwnerRequest::Run(new) => HelperRequest::Start(new),
            OwnerRequest::List(which) => HelperRequest::List(which),
            OwnerRequest::Log(which) => HelperRequest::Log(which),
            OwnerRequest::Stop(which) => HelperRequest::Stop(which),
            OwnerRequest::Delete(which) => HelperRequest::Delete(which),
        };
        self.hand_on(request, descriptors).await
    }
}

/// The owner and root may connect, nobody else.
fn check_caller(caller: Caller, uid: u32) -> Result<(), Fault> {
    if caller.uid == uid || caller.uid == 0 {
        Ok(())
    } else {
        Err(Fault::NotPermitted {
            reason: format!("this daemon serves uid {uid}, not uid {}", caller.uid),
        })
    }
}

/// The owner may ask anything, root what only reads (health probes, `system status`).
fn check_request(caller: Caller, uid: u32, request: &OwnerRequest) -> Result<(), Fault> {
    if caller.uid == uid || request.reads_only() {
        Ok(())
    } else {
        Err(Fault::NotPermitted {
            reason: format!("VMs are changed by uid {uid}, not by uid {}", caller.uid),
        })
    }
}

impl OwnerService {
    /// This daemon keeps nothing; it is ready when the helper behind it is.
    async fn health(&self) -> Health {
        let asked = self.ask::<Health>(HelperRequest::Health {}, Vec::new(), limits::HELPER_HEALTH);
        let (ready, refuses) = match asked.await {
            Ok((helper, _)) => (helper.ready, helper.refuses),
            Err(fault) => (false, Some(fault.to_string())),
        };
        Health {
            version: self.version.clone(),
            pid: std::process::id(),
            ready,
            refuses,
        }
    }

    async fn hand_on(&self, request: HelperRequest, descriptors: Vec<OwnedFd>) -> Answer {
        match request {
            HelperRequest::Health {} => {
                let (health, back) = self.ask(request, descriptors, limits::HEALTH).await?;
                Ok((Reply::Health(health), back))
            }
            HelperRequest::List(_) => {
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
    use crate::protocol::{ByName, ListVms};

    #[test]
    fn the_owner_may_everything_root_may_look_and_others_nothing() {
        let delete = || {
            OwnerRequest::Delete(ByName {
                name: "web".parse().unwrap(),
            })
        };
        let list = || OwnerRequest::List(ListVms::default());
        for (uid, request, connects, allowed) in [
            (1000, delete(), true, true),
            (1000, list(), true, true),
            (0, OwnerRequest::Health {}, true, true),
            (0, list(), true, true),
            (0, delete(), true, false),
            (1001, OwnerRequest::Health {}, false, false),
            (1001, list(), false, false),
        ] {
            let caller = Caller { uid, pid: 7 };
            let admitted = check_caller(caller, 1000).is_ok();
            assert_eq!(admitted, connects, "uid {uid}");
            let answered = admitted && check_request(caller, 1000, &request).is_ok();
            assert_eq!(answered, allowed, "uid {uid}: {request:?}");
        }
    }

    #[tokio::test]
    async fn an_owner_daemon_without_its_helper_is_not_ready() {
        let service = OwnerService {
            version: "0.1.0".into(),
            uid: 1000,
            helper: "/nonexistent/socket".into(),
        };
        let health = service.health().await;
        assert!(!health.ready && health.refuses.is_some(), "{health:?}");
    }
}
