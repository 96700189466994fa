//! The bounds of the protocol, in one place.

use std::time::Duration;

/// Bytes of one request, its closing NUL included. The longest real one has a few hundred.
pub const REQUEST: usize = 16 * 1024;
/// Bytes of one reply, its closing NUL included. The longest real one, a page of
/// [`VMS_PER_PAGE`] VMs, stays under a half of it.
pub const REPLY: usize = 256 * 1024;
/// VMs in one answer to a list. A longer list is asked for page by page, so that no daemon holds
/// all of it in memory for each caller.
pub const VMS_PER_PAGE: usize = 100;
/// Connections of the owner that a daemon holds at a time; further ones are refused as busy.
pub const CONNECTIONS: usize = 512;
/// Connections of root that a daemon holds at a time, whatever the owner's are.
pub const ROOT_CONNECTIONS: usize = 128;
/// Requests, other than for health, that a daemon works on at a time for the owner, and as many for
/// root; further ones wait.
pub const REQUESTS: usize = 64;
/// File descriptors of one message: a kernel and a root disk.
pub const DESCRIPTORS: usize = 2;
/// How long a connection may stay silent before its first request, and between two.
pub const IDLE: Duration = Duration::from_secs(60);
/// The pause after the daemon ran out of descriptors, before it accepts again.
pub const SHORT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);
/// Refused callers that are logged, per [`REFUSALS_WINDOW`].
pub const REFUSALS: u32 = 10;
/// See [`REFUSALS`].
pub const REFUSALS_WINDOW: Duration = Duration::from_secs(60);
/// How long a daemon that was told to stop waits for the requests in flight. Shorter than the
/// units' `TimeoutStopSec=20s`, after which systemd would kill the daemon, and longer than the
/// longest grace of a stop.
pub const DRAIN: Duration = Duration::from_secs(15);
/// How long a daemon that was told to stop waits for the first request of a connection that it had
/// accepted already.
pub const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// How long a daemon that was told to stop tries on to answer a question. Then it hangs up, and the
/// caller asks the next daemon: the owner daemon may wait for a helper that systemd starts only
/// when the owner daemon has ended.
pub const LAST_QUESTIONS: Duration = Duration::from_secs(1);
/// A health call: connection, call and answer. A daemon that restarts answers within it.
pub const HEALTH: Duration = Duration::from_secs(10);
/// The owner daemon's question whether the helper works, within a health call of its own.
pub const HELPER_HEALTH: Duration = Duration::from_secs(5);
/// Any other call that reads.
pub const READ: Duration = Duration::from_secs(20);
/// A call that changes something: a start copies a root disk, a stop waits for the guest.
pub const CHANGE: Duration = Duration::from_secs(150);
/// What a rotation leaves of a console log at most, in bytes.
pub const CONSOLE_LOG: u64 = 16 * 1024 * 1024;
/// A kernel, in bytes.
pub const KERNEL: u64 = 256 * 1024 * 1024;
/// A root disk, in bytes.
pub const ROOTFS: u64 = 64 * 1024 * 1024 * 1024;
/// The sum of the sizes of all disks of VMs, in bytes, holes included. Disks are sparse, so it may
/// be more than the file system holds; what it bounds is what guests may come to fill.
pub const DISKS: u64 = 1024 * 1024 * 1024 * 1024;
/// What a VM's Firecracker may write to one file that has no size of its own, in bytes
/// (`RLIMIT_FSIZE`; setrlimit(2)). Beyond it SIGXFSZ ends Firecracker, so it is far above
/// [`CONSOLE_LOG`]: a console that is not cut because the helper is down must not end its guest.
pub const VM_FILE: u64 = 1024 * 1024 * 1024;
/// File descriptors of a VM's Firecracker. It takes some 40 and 3 more for each processor.
pub const VM_DESCRIPTORS: u64 = 512;
/// What a cut leaves of Firecracker's own log, in bytes of data.
pub const FIRECRACKER_LOG: u64 = 1024 * 1024;
