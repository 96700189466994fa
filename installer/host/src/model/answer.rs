//! What a service says when it is asked whether it is well.

use super::Version;

/// What a service answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its version.
    pub version: Version,
    /// The process that answered, as it says itself; none for a product whose services do not say.
    pub pid: Option<u32>,
}

impl From<Version> for Answer {
    fn from(version: Version) -> Self {
        Self { version, pid: None }
    }
}

/// Somebody other than the service manager listens on a service's socket: what is heard there says
/// nothing of the service.
#[derive(Debug, thiserror::Error)]
#[error("pid {pid} of uid {uid} listens on the socket, and not systemd")]
pub struct ForeignListener {
    /// The listener's user, by the kernel's word (unix(7), `SO_PEERCRED`).
    pub uid: u32,
    /// Its process; 0 when it lives in another pid namespace.
    pub pid: i32,
}
