//! A transient scope per VM, so that a VM outlives even a stop that kills the helper's whole
//! control group (`systemd.scope(5)`).

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use zbus::{OwnedObjectPath, Variant};

use crate::observe::{HostProcesses, Processes as _};
use crate::protocol::VmId;

/// How long systemd may take to move a process.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks whether it has.
const INTERVAL: Duration = Duration::from_millis(2);

/// Why a VM got no scope. It runs on in the helper's own control group.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    /// systemd refused, or could not be reached.
    #[error("systemd made no scope")]
    Bus(#[from] zbus::Error),
    /// systemd took too long.
    #[error("systemd made no scope within {} s", PATIENCE.as_secs())]
    Late,
}

/// The name of a VM's scope.
pub fn scope_name(id: &VmId) -> String {
    format!("banger-vm-{id}.scope")
}

/// Moves processes into scopes.
pub trait Scopes: Send + Sync {
    /// Moves process `pid` into the scope of VM `id`, and returns the scope's name once it is
    /// there.
    fn place<'a>(
        &'a self,
        id: &'a VmId,
        name: &'a str,
        pid: u32,
    ) -> Pin<Box<dyn Future<Output = Result<String, ScopeError>> + Send + 'a>>;
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn start_transient_unit(
        &self,
        name: &str,
        mode: &str,
        properties: &[(&str, Variant<'_>)],
        auxiliary: &[(&str, Vec<(&str, Variant<'_>)>)],
    ) -> zbus::Result<OwnedObjectPath>;
}

/// Scopes by systemd's D-Bus interface (org.freedesktop.systemd1(5)).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemdScopes;

impl Scopes for SystemdScopes {
    fn place<'a>(
        &'a self,
        id: &'a VmId,
        name: &'a str,
        pid: u32,
    ) -> Pin<Box<dyn Future<Output = Result<String, ScopeError>> + Send + 'a>> {
        Box::pin(async move {
            let scope = scope_name(id);
            let made = tokio::time::timeout(PATIENCE, async {
                start_scope(&scope, name, pid).await?;
                until_inside(&scope, pid).await;
                Ok::<(), zbus::Error>(())
            });
            made.await.map_err(|_| ScopeError::Late)??;
            Ok(scope)
        })
    }
}

/// The call returns when the job is queued; the process moves when it runs.
async fn until_inside(scope: &str, pid: u32) {
    // a process that ended will not move any more
    while let Ok(Some(seen)) = HostProcesses.see(pid) {
        if seen.exited || seen.control_group.ends_with(scope) {
            return;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// A connection per scope: a bus that was restarted meanwhile costs nothing then.
async fn start_scope(scope: &str, name: &str, pid: u32) -> zbus::Result<()> {
    let connection = zbus::Connection::system().await?;
    let manager = ManagerProxy::new(&connection).await?;
    let properties = [
        ("Description", Variant::from(format!("banger VM {name}"))),
        ("PIDs", Variant::from(vec![pid])),
        ("Slice", Variant::from("banger.slice")),
        // one that failed leaves nothing behind that would refuse the name
        ("CollectMode", Variant::from("inactive-or-failed")),
    ];
    manager
        .start_transient_unit(scope, "fail", &properties, &[])
        .await?;
    Ok(())
}
