//! What the command line, the owner daemon and the root helper say to each other.
//!
//! Guarantees: both interfaces are closed enums, every value in a request is checked when it is
//! read, on each side anew; a request is at most [`limits::REQUEST`] bytes, a reply at most
//! [`limits::REPLY`]; every wait has a bound. The
//! wire is varlink (varlink.org): JSON closed by NUL, file descriptors by `SCM_RIGHTS`, and the
//! caller's identity from `SO_PEERCRED`, never from a message.

pub mod client;
mod fault;
mod framing;
mod messages;
mod names;
mod page_key;
mod pages;
mod rate;
pub mod server;

pub use banger_product::limits;
pub use fault::Fault;
pub use framing::{Bounded, Connection, call_stream, connect, serve_stream};
pub use messages::{
    ByName, EndCause, Health, HelperRequest, Idempotence, ListVms, NewVm, OwnerRequest, Reply,
    StopVm, VmList, VmState, VmSummary,
};
pub use names::{Cpus, GraceSeconds, InputError, MemoryMib, VmId, VmName};
pub use page_key::{BadPageKey, PageKey};
pub use pages::page;

#[cfg(test)]
mod tests;
