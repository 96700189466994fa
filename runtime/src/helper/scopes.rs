//! A transient scope per VM, so that a VM outlives even a stop that kills the helper's whole
//! control group (`systemd.scope(5)`), and so that what it may take of the host has bounds.

use std::future::Future;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use banger_installer_systemd::client::{BusError, NewScope, is_taken, limit_scope, start_scope};

use crate::observe::Pinned;
use crate::protocol::{Cpus, MemoryMib, VmId};

/// How long systemd may take to move a process.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks whether it has.
const INTERVAL: Duration = Duration::from_millis(2);

/// Memory of a VM's scope beyond its guest's, in bytes: Firecracker itself (some 5 MiB), the page
/// tables of the guest (1/512 of its memory) and the page cache of its disk, which the kernel takes
/// back when the bound is near.
const OVERHEAD: u64 = 128 * 1024 * 1024;
/// Threads of Firecracker beside those of the processors: two of its own, one that KVM makes, and
/// some for what is to come.
const OWN_TASKS: u64 = 16;
/// Microseconds of processor time a second that one virtual processor may take: all of one.
const ONE_CPU: u64 = 1_000_000;

/// Why a VM got no scope. Then it does not start: it would be counted, and killed, with the helper.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    /// systemd refused, or could not be reached.
    #[error("systemd made no scope")]
    Bus(#[from] BusError),
    /// systemd took too long.
    #[error("systemd made no scope within {} s", PATIENCE.as_secs())]
    Late,
    /// The process cannot be read.
    #[error("the process that was moved cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// The process ended meanwhile.
    #[error("the process ended before it was in its scope")]
    Ended,
    /// Another process was moved.
    #[error("process {pid} in the scope is not the one that was spawned")]
    OtherProcess {
        /// Its number.
        pid: u32,
    },
}

/// The name of a VM's scope.
pub fn scope_name(id: &VmId) -> String {
    format!("banger-vm-{id}.scope")
}

/// What a VM may take of the host (`systemd.resource-control(5)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeLimits {
    /// `MemoryMax=` in bytes.
    pub memory_max: u64,
    /// `TasksMax=`.
    pub tasks_max: u64,
    /// `CPUQuotaPerSecUSec=` in microseconds.
    pub cpu_quota: u64,
}

impl ScopeLimits {
    /// Those of a VM of that size.
    pub fn of(cpus: Cpus, memory: MemoryMib) -> Self {
        let cpus = u64::from(cpus.get());
        Self {
            memory_max: u64::from(memory.get()) * 1024 * 1024 + OVERHEAD,
            tasks_max: cpus + OWN_TASKS,
            cpu_quota: cpus * ONE_CPU,
        }
    }

    fn properties(self) -> [(&'static str, u64); 3] {
        [
            ("MemoryMax", self.memory_max),
            ("TasksMax", self.tasks_max),
            ("CPUQuotaPerSecUSec", self.cpu_quota),
        ]
    }
}

/// A process that is to be moved into the scope of its VM.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The VM.
    pub id: VmId,
    /// Its name, for people.
    pub name: String,
    /// The process.
    pub process: Arc<Pinned>,
    /// The scope's limits.
    pub limits: ScopeLimits,
}

/// What [`Scopes::place`] returns.
pub type Placing<'a> = Pin<Box<dyn Future<Output = Result<String, ScopeError>> + Send + 'a>>;

/// Moves processes into scopes.
pub trait Scopes: Send + Sync {
    /// Moves a process into the scope of its VM, and returns the scope's name once it was seen
    /// there, the same process as before.
    fn place<'a>(&'a self, placement: &'a Placement) -> Placing<'a>;
}

/// Scopes by systemd's D-Bus interface (org.freedesktop.systemd1(5)).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemdScopes;

impl Scopes for SystemdScopes {
    fn place<'a>(&'a self, placement: &'a Placement) -> Placing<'a> {
        Box::pin(async move {
            let scope = scope_name(&placement.id);
            let begun = Instant::now();
            let started = tokio::time::timeout(PATIENCE, start(&scope, placement))
                .await
                .map_err(|_| ScopeError::Late)?;
            // an update that is in progress moves whom it finds in this service's control group
            let exists = match started {
                Err(error) if is_taken(&error) => true,
                started => started.map(|()| false)?,
            };
            let (process, inside) = (Arc::clone(&placement.process), scope.clone());
            // reads of /proc are reads of files
            tokio::task::spawn_blocking(move || wait_until_inside(&inside, &process, begun))
                .await
                .map_err(|error| ScopeError::Unreadable(std::io::Error::other(error)))??;
            if exists {
                let limits = placement.limits.properties();
                tokio::time::timeout(PATIENCE, limit_scope(&scope, &limits))
                    .await
                    .map_err(|_| ScopeError::Late)??;
            }
            Ok(scope)
        })
    }
}

/// The call returns when the job is queued; the process moves when it runs. Where systemd was told
/// no more than a number, this is also what shows that it moved the right process.
fn wait_until_inside(scope: &str, process: &Pinned, begun: Instant) -> Result<(), ScopeError> {
    loop {
        let now = process.look_again().map_err(ScopeError::Unreadable)?;
        let now = now.ok_or(ScopeError::Ended)?;
        if now.start_time != process.seen.start_time {
            return Err(ScopeError::OtherProcess { pid: now.pid });
        }
        if now.control_group.rsplit('/').next() == Some(scope) {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(ScopeError::Late);
        }
        std::thread::sleep(INTERVAL);
    }
}

async fn start(scope: &str, placement: &Placement) -> Result<(), BusError> {
    let process = &placement.process;
    start_scope(&NewScope {
        name: scope,
        slice: "banger.slice",
        description: &format!("banger VM {}", placement.name),
        processes: &[(process.seen.pid, process.as_fd())],
        delegate: false,
        limits: &placement.limits.properties(),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_has_room_for_the_guest_and_its_firecracker() {
        let limits = ScopeLimits::of("2".parse().unwrap(), "512".parse().unwrap());
        assert_eq!(
            limits,
            ScopeLimits {
                memory_max: 640 * 1024 * 1024,
                tasks_max: 18,
                cpu_quota: 2_000_000,
            }
        );
    }

    #[test]
    fn a_process_that_ended_is_in_no_scope() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pinned = Pinned::pin(child.id()).unwrap().unwrap();
        child.wait().unwrap();
        let waited = wait_until_inside("x.scope", &pinned, Instant::now());
        assert!(matches!(waited, Err(ScopeError::Ended)), "{waited:?}");
    }
}
