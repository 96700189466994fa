//! The two interfaces: what may be asked and what is answered.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Cpus, GraceSeconds, MemoryMib, PageKey, VmId, VmName};

/// A new VM. The kernel travels as the request's first file descriptor, the root disk, if
/// `rootfs` says that there is one, as its second: a path is never sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewVm {
    /// Its name, unique on the host.
    pub name: VmName,
    /// Virtual processors.
    pub cpus: Cpus,
    /// Memory in MiB.
    pub memory_mib: MemoryMib,
    /// A root disk comes along.
    pub rootfs: bool,
}

/// One VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByName {
    /// Its name.
    pub name: VmName,
}

/// Which part of the list of VMs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListVms {
    /// The `next` of the page before; none for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<PageKey>,
}

/// One VM, to be stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopVm {
    /// Its name.
    pub name: VmName,
    /// How long the guest may take to shut down by itself (Ctrl-Alt-Del) before it is ended.
    pub grace_seconds: GraceSeconds,
}

/// What the owner daemon is asked, interface `org.banger.Owner`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", content = "parameters")]
pub enum OwnerRequest {
    /// Answered by [`Health`].
    #[serde(rename = "org.banger.Owner.Health")]
    Health {},
    /// Answered by the [`VmSummary`] of the running VM.
    #[serde(rename = "org.banger.Owner.Run")]
    Run(NewVm),
    /// Answered by a page of the [`VmList`].
    #[serde(rename = "org.banger.Owner.List")]
    List(ListVms),
    /// Answered with the console log as a read-only file descriptor.
    #[serde(rename = "org.banger.Owner.Log")]
    Log(ByName),
    /// Answered by the [`VmSummary`] once the VM's process is gone.
    #[serde(rename = "org.banger.Owner.Stop")]
    Stop(StopVm),
    /// Answered by the last [`VmSummary`]; the name is free then.
    #[serde(rename = "org.banger.Owner.Delete")]
    Delete(ByName),
}

/// What the root helper is asked, interface `org.banger.Helper`. The same verbs: the owner daemon
/// adds no power, it keeps the owner's programs away from root's socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", content = "parameters")]
pub enum HelperRequest {
    /// Answered by [`Health`].
    #[serde(rename = "org.banger.Helper.Health")]
    Health {},
    /// Answered by the [`VmSummary`] of the running VM.
    #[serde(rename = "org.banger.Helper.Start")]
    Start(NewVm),
    /// Answered by a page of the [`VmList`].
    #[serde(rename = "org.banger.Helper.List")]
    List(ListVms),
    /// Answered with the console log as a read-only file descriptor.
    #[serde(rename = "org.banger.Helper.Log")]
    Log(ByName),
    /// Answered by the [`VmSummary`] once the VM's process is gone.
    #[serde(rename = "org.banger.Helper.Stop")]
    Stop(StopVm),
    /// Answered by the last [`VmSummary`]; the name is free then.
    #[serde(rename = "org.banger.Helper.Delete")]
    Delete(ByName),
}

/// Whether a request may be sent again when no answer came.
pub trait Idempotence {
    /// It only reads.
    fn reads_only(&self) -> bool;

    /// It asks whether the daemon works, which must be answered whatever else is asked.
    fn asks_health(&self) -> bool;
}

impl Idempotence for OwnerRequest {
    fn reads_only(&self) -> bool {
        matches!(self, Self::Health {} | Self::List(_) | Self::Log(_))
    }

    fn asks_health(&self) -> bool {
        matches!(self, Self::Health {})
    }
}

impl Idempotence for HelperRequest {
    fn reads_only(&self) -> bool {
        matches!(self, Self::Health {} | Self::List(_) | Self::Log(_))
    }

    fn asks_health(&self) -> bool {
        matches!(self, Self::Health {})
    }
}

/// The answer of a daemon that works. The version is the handshake: a caller of another version
/// learns here whom it speaks to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The daemon's version, as its `--version` prints it.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// State is read, what was left by the process before has been found again, and changes are
    /// served.
    pub ready: bool,
    /// Why changes are refused for now, when the host gives a reason: a disk that cannot be
    /// written, processes that cannot be seen.
    #[serde(default)]
    pub refuses: Option<String>,
}

/// The answer to a list: [`limits::VMS_PER_PAGE`](super::limits::VMS_PER_PAGE) VMs at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmList {
    /// VMs, by name.
    pub vms: Vec<VmSummary>,
    /// Where the next page begins; none on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<PageKey>,
}

/// What a user may know of a VM. Its JSON is what `vm list --json` prints: fields are added, never
/// renamed or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmSummary {
    /// Its name; for a process that no record knows, what it calls itself.
    pub name: String,
    /// Its id.
    pub id: Option<VmId>,
    /// Its state.
    pub state: VmState,
    /// Why it is in that state, when there is something to say.
    pub reason: Option<String>,
    /// The Firecracker process, while there is one.
    pub pid: Option<u32>,
    /// The start time of that process in clock ticks since boot (`proc_pid_stat(5)`, field 22).
    pub start_time: Option<u64>,
    /// The control group of that process on the unified hierarchy.
    pub control_group: Option<String>,
    /// Virtual processors.
    pub cpus: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u32>,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// How its process ended; none while it runs, and where an older version saw the end.
    #[serde(default)]
    pub ended: Option<EndCause>,
}

/// How the process of a VM ended, as far as that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndCause {
    /// It was stopped because somebody asked for it: the request was on disk before the first
    /// signal.
    Asked,
    /// The guest shut down by itself: Firecracker's exit status, or its own last line, says so.
    Guest,
    /// Nothing explains it.
    Unexplained,
}

/// The states of a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VmState {
    /// Its process is being made.
    Starting,
    /// Its process lives and is provably its own.
    Running,
    /// It was asked to stop.
    Stopping,
    /// It ended as asked, or with the machine.
    Stopped,
    /// It ended otherwise, or did not start.
    Failed,
    /// A process is there that is not provably its own: nothing touches it.
    Unmanaged,
    /// Its record cannot be read: nothing touches it.
    Broken,
}

impl VmState {
    /// The word on the wire and on the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Unmanaged => "unmanaged",
            Self::Broken => "broken",
        }
    }
}

/// What a daemon answers, without and with file descriptors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To `Health`.
    Health(Health),
    /// To `List`.
    List(VmList),
    /// To a change.
    Vm(VmSummary),
    /// To `Log`: the descriptor says it all.
    Log {},
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<HelperRequest, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_request_is_read_as_it_is_written() {
        let json =
            r#"{"method":"org.banger.Helper.Stop","parameters":{"name":"web","grace_seconds":3}}"#;
        let request = read(json).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), json);
    }

    #[test]
    fn what_no_honest_caller_sends_is_refused() {
        for json in [
            r#"{"method":"org.banger.Helper.Exec","parameters":{}}"#,
            r#"{"method":"org.banger.Helper.Delete","parameters":{"name":"a\u0000b"}}"#,
            r#"{"method":"org.banger.Helper.Delete","parameters":{"name":"../x"}}"#,
            r#"{"method":"org.banger.Helper.Delete","parameters":{"name":"web","path":"/etc"}}"#,
            r#"{"method":"org.banger.Helper.Delete"}"#,
            r#"{"method":"org.banger.Helper.Start","parameters":{"name":"web","cpus":99,"memory_mib":64,"rootfs":false}}"#,
        ] {
            assert!(read(json).is_err(), "{json} was taken");
        }
    }

    #[test]
    fn states_have_one_word_on_wire_and_screen() {
        for state in [VmState::Running, VmState::Unmanaged, VmState::Stopped] {
            assert_eq!(
                serde_json::to_string(&state).unwrap(),
                format!("{:?}", state.word())
            );
        }
    }
}
