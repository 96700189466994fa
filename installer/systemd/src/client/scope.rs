//! Transient scopes (systemd.scope(5)): for the toolkit, which moves processes that must outlive a
//! stop, and for daemons, which start some.

use std::os::fd::BorrowedFd;

use zbus::proxy::CacheProperties;
use zbus::{Fd, OwnedObjectPath, Variant};

use super::BusError;
use super::proxies::ManagerProxy;

/// A scope that is to be started. It goes by itself when its last process does, also when it failed
/// (`CollectMode=inactive-or-failed`): a name is free again then.
#[derive(Debug, Clone, Copy)]
pub struct NewScope<'a> {
    /// Its name, with the suffix.
    pub name: &'a str,
    /// The slice that it is a part of.
    pub slice: &'a str,
    /// For people.
    pub description: &'a str,
    /// The processes that are moved into it: each by its number and by a pidfd of it.
    pub processes: &'a [(u32, BorrowedFd<'a>)],
    /// `Delegate=`: systemd leaves the inside of its control group alone, so whoever started the
    /// processes may set limits there.
    pub delegate: bool,
    /// Its limits (systemd.resource-control(5)), by the names that they have on the bus.
    pub limits: &'a [(&'a str, u64)],
}

/// Starts a scope over a connection of its own: a bus that was restarted meanwhile costs nothing
/// then. Returns when the job is queued; the processes move when it runs.
///
/// # Errors
/// When the bus cannot be reached, and what systemd refuses.
pub async fn start_scope(scope: &NewScope<'_>) -> Result<(), BusError> {
    let manager = manager().await.map_err(BusError)?;
    queue(&manager, scope).await.map_err(BusError)?;
    Ok(())
}

/// Gives a scope that is there its limits.
///
/// # Errors
/// When the bus cannot be reached, and what systemd refuses.
pub async fn limit_scope(name: &str, limits: &[(&str, u64)]) -> Result<(), BusError> {
    let manager = manager().await.map_err(BusError)?;
    let properties: Vec<_> = limits.iter().map(property).collect();
    let set = manager.set_unit_properties(name, true, &properties);
    set.await.map_err(BusError)
}

/// systemd's answer when a unit of that name is there already (`bus_common_errors` in its sources).
pub fn is_taken(error: &BusError) -> bool {
    const NAME: &str = "org.freedesktop.systemd1.UnitExists";
    matches!(&error.0, zbus::Error::MethodError(name, _, _) if name.as_str() == NAME)
}

/// Queues the start of a scope. The processes are named by their pidfds; systemd before 253 knows
/// only numbers.
pub(super) async fn queue(
    manager: &ManagerProxy<'_>,
    scope: &NewScope<'_>,
) -> zbus::Result<OwnedObjectPath> {
    let descriptors: Vec<_> = scope.processes.iter().map(|one| Fd::from(one.1)).collect();
    let by_descriptor = ("PIDFDs", Variant::from(descriptors));
    match queue_with(manager, scope, by_descriptor).await {
        Err(error) if is_unknown_property(&error) => {
            let numbers: Vec<u32> = scope.processes.iter().map(|one| one.0).collect();
            queue_with(manager, scope, ("PIDs", Variant::from(numbers))).await
        }
        queued => queued,
    }
}

async fn queue_with(
    manager: &ManagerProxy<'_>,
    scope: &NewScope<'_>,
    processes: (&str, Variant<'_>),
) -> zbus::Result<OwnedObjectPath> {
    let mut properties = vec![
        processes,
        ("Slice", Variant::from(scope.slice)),
        ("Description", Variant::from(scope.description)),
        ("CollectMode", Variant::from("inactive-or-failed")),
    ];
    if scope.delegate {
        properties.push(("Delegate", Variant::from(true)));
    }
    properties.extend(scope.limits.iter().map(property));
    manager
        .start_transient_unit(scope.name, "fail", &properties, &[])
        .await
}

fn property<'a, 'v>(limit: &(&'a str, u64)) -> (&'a str, Variant<'v>) {
    (limit.0, Variant::from(limit.1))
}

async fn manager() -> zbus::Result<ManagerProxy<'static>> {
    let connection = zbus::Connection::system().await?;
    ManagerProxy::builder(&connection)
        .cache_properties(CacheProperties::No)
        .build()
        .await
}

/// systemd's answer to a property that it does not know (`bus_unit_set_properties` in its sources).
fn is_unknown_property(error: &zbus::Error) -> bool {
    let zbus::Error::FDO(error) = error else {
        return false;
    };
    matches!(**error, zbus::fdo::Error::PropertyReadOnly(_))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    /// systemd 253 and newer take `ah` (`bus_scope_set_transient_property`).
    #[test]
    fn a_pidfd_travels_as_an_array_of_descriptors() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let value = Variant::from(vec![Fd::from(file.as_fd())]);
        assert_eq!(value.value_signature().to_string(), "ah");
    }

    #[test]
    fn only_a_property_that_systemd_does_not_know_is_tried_in_another_way() {
        let unknown = zbus::fdo::Error::PropertyReadOnly("unknown property".into());
        assert!(is_unknown_property(&zbus::Error::FDO(unknown.into())));
        let denied = zbus::fdo::Error::AccessDenied("no".into());
        assert!(!is_unknown_property(&zbus::Error::FDO(denied.into())));
        assert!(!is_unknown_property(&zbus::Error::InvalidReply));
    }
}
