//! The root helper: it starts, finds, stops and removes VMs, and holds no policy.
//!
//! Guarantees: only the owner and root are answered, by the kernel's word for who calls; a request
//! carries names, numbers and descriptors, never a path; intent is on disk before an act; a process
//! is signalled only through a pidfd that was checked to be the VM's; what is not provably a VM's
//! own is left alone.

mod audit;
mod console;
mod control_group;
mod find_again;
mod fresh;
mod recover;
mod registry;
mod scopes;
mod start;
mod stop;
mod watch;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::protocol::server::{Answer, Caller, Service};
use crate::protocol::{Fault, Health, HelperRequest, Idempotence as _, Reply, page};
use crate::storage::{Places, StorageError, Store};

pub use registry::Registry;
pub use scopes::{Placement, Placing, ScopeError, ScopeLimits, Scopes, SystemdScopes, scope_name};

/// Why the helper cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// Another helper runs.
    #[error("another root helper holds {path}")]
    Locked {
        /// The lock file.
        path: String,
    },
    /// State on disk.
    #[error("cannot use the VMs' state")]
    Storage(#[from] StorageError),
    /// The processes of the host.
    #[error("cannot read the host's processes")]
    Processes(#[source] std::io::Error),
}

/// The helper.
pub struct Helper {
    version: String,
    owner_uid: u32,
    places: Places,
    registry: Registry,
    scopes: Box<dyn Scopes>,
    /// State is read and what runs is found again.
    ready: AtomicBool,
    space: crate::jail::DiskSpace,
    logs: console::Logs,
    /// Held as long as the helper lives.
    _lock: std::fs::File,
}

impl Helper {
    /// Takes the lock, finds what runs, publishes it, and begins to watch it. Serves nothing yet.
    ///
    /// # Errors
    /// [`HelperError`].
    pub fn begin(
        version: String,
        owner_uid: u32,
        places: Places,
        scopes: Box<dyn Scopes>,
    ) -> Result<Arc<Self>, HelperError> {
        let store = Store::open(places.clone())?;
        let lock = take_lock(&places)?;
        // where /proc hides it, the registry refuses changes
        let boot_id = crate::observe::boot_id().unwrap_or_default();
        let helper = Arc::new(Self {
            version,
            owner_uid,
            registry: Registry::new(store, boot_id),
            places,
            scopes,
            ready: AtomicBool::new(false),
            space: crate::jail::DiskSpace::default(),
            logs: console::Logs::new().map_err(HelperError::Processes)?,
            _lock: lock,
        });
        recover::recover(&helper)?;
        helper.ready.store(true, Ordering::Release);
        tokio::spawn(watch::tick(Arc::clone(&helper)));
        Ok(helper)
    }

    fn health(&self) -> Health {
        Health {
            version: self.version.clone(),
            pid: std::process::id(),
            ready: self.ready.load(Ordering::Acquire),
            refuses: self.registry.refuses(),
        }
    }
}

fn take_lock(places: &Places) -> Result<std::fs::File, HelperError> {
    let path = places.lock();
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(HelperError::Processes)?;
    file.try_lock().map_err(|_| HelperError::Locked {
        path: path.display().to_string(),
    })?;
    Ok(file)
}

/// The owner of the installation and root may connect, nobody else.
fn check_caller(caller: Caller, owner_uid: u32) -> Result<(), Fault> {
    if caller.uid == owner_uid || caller.uid == 0 {
        Ok(())
    } else {
        Err(Fault::NotPermitted {
            reason: format!("the root helper does not answer uid {}", caller.uid),
        })
    }
}

/// What a request does runs in a task of its own: a caller that hangs up does not leave it half
/// done.
pub struct HelperService(pub Arc<Helper>);

impl Service for HelperService {
    type Request = HelperRequest;

    fn admit(&self, caller: Caller) -> Result<(), Fault> {
        check_caller(caller, self.0.owner_uid)
    }

    async fn answer(
        &self,
        caller: Caller,
        request: HelperRequest,
        descriptors: Vec<OwnedFd>,
    ) -> Answer {
        let helper = Arc::clone(&self.0);
        let action = audit::Action::of(&request);
        let done = tokio::spawn(async move {
            let answer = helper.serve(request, descriptors).await;
            if let Some(action) = action {
                action.log(caller, &answer);
            }
            answer
        });
        done.await
            .map_err(|error| Fault::failed("the request ended early", error))?
    }
}

impl Helper {
    async fn serve(self: Arc<Self>, request: HelperRequest, descriptors: Vec<OwnedFd>) -> Answer {
        let plain = |reply| Ok((reply, Vec::new()));
        if !request.reads_only() {
            self.registry.check_changes()?;
        }
        match request {
            HelperRequest::Health {} => plain(Reply::Health(self.health())),
            HelperRequest::List(which) => {
                let list = blocking(move || Ok(page(self.registry.list(), &which)));
                plain(Reply::List(list.await?))
            }
            HelperRequest::Start(new) => {
                plain(Reply::Vm(start::start(self, new, descriptors).await?))
            }
            HelperRequest::Log(which) => {
                let log = console::open(self, which.name).await?;
                Ok((Reply::Log {}, vec![log.into()]))
            }
            HelperRequest::Stop(which) => plain(Reply::Vm(stop::stop(self, which).await?)),
            HelperRequest::Delete(which) => plain(Reply::Vm(stop::delete(self, which.name).await?)),
        }
    }
}

/// Runs what blocks on a thread for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Fault::failed("the work ended early", error))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_and_root_may_connect_and_nobody_else() {
        for (uid, admitted) in [(1000, true), (0, true), (1001, false), (65534, false)] {
            let caller = Caller { uid, pid: 7 };
            assert_eq!(check_caller(caller, 1000).is_ok(), admitted, "uid {uid}");
        }
    }

    #[tokio::test]
    async fn a_helper_is_ready_when_it_has_found_what_runs_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(folder.path(), folder.path());
        let store = Store::open(places.clone()).unwrap();
        let unready = Helper {
            version: "0.1.0".into(),
            owner_uid: 1000,
            registry: Registry::new(store, "this boot".into()),
            places: places.clone(),
            scopes: Box::new(SystemdScopes),
            ready: AtomicBool::new(false),
            space: crate::jail::DiskSpace::default(),
            logs: console::Logs::new().unwrap(),
            _lock: take_lock(&places).unwrap(),
        };
        assert!(!unready.health().ready);
        drop(unready);
        let helper = Helper::begin("0.1.0".into(), 1000, places, Box::new(SystemdScopes));
        assert!(helper.unwrap().health().ready);
    }
}
