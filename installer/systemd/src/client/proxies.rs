//! The members of systemd's D-Bus interface that the toolkit uses, after
//! org.freedesktop.systemd1(5).
//!
//! Properties are never cached: a value that systemd gave before a Reload says nothing after it.
use zbus::{ObjectPath, OwnedObjectPath, Variant};

/// One line of `ExecStart` as D-Bus carries it: path, arguments, ignore failure, and seven numbers
/// on its last run.
pub(super) type ExecCommand = (String, Vec<String>, bool, u64, u64, u64, u64, u32, i32, i32);

/// One change that `EnableUnitFiles` or `DisableUnitFiles` made: kind, link, target.
pub(super) type UnitFileChange = (String, String, String);

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
pub(super) trait Manager {
    fn subscribe(&self) -> zbus::Result<()>;
    fn reload(&self) -> zbus::Result<()>;
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    fn get_unit_file_state(&self, file: &str) -> zbus::Result<String>;
    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;
    fn start_transient_unit(
        &self,
        name: &str,
        mode: &str,
        properties: &[(&str, Variant<'_>)],
        auxiliary: &[(&str, &[(&str, Variant<'_>)])],
    ) -> zbus::Result<OwnedObjectPath>;
    fn enable_unit_files(
        &self,
        files: &[&str],
        runtime: bool,
        force: bool,
    ) -> zbus::Result<(bool, Vec<UnitFileChange>)>;
    fn disable_unit_files(
        &self,
        files: &[&str],
        runtime: bool,
    ) -> zbus::Result<Vec<UnitFileChange>>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn unit_path(&self) -> zbus::Result<Vec<String>>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn units_load_timestamp_monotonic(&self) -> zbus::Result<u64>;

    #[zbus(signal)]
    fn job_removed(
        &self,
        id: u32,
        job: ObjectPath<'_>,
        unit: &str,
        result: &str,
    ) -> zbus::Result<()>;
}

/// What the toolkit reads of the interface `org.freedesktop.systemd1.Unit`, by one `GetAll`.
#[derive(Debug, zbus::DeserializeDict, zbus::Type)]
#[zbus(signature = "a{sv}", rename_all = "PascalCase")]
pub(super) struct UnitProperties {
    pub(super) load_state: String,
    pub(super) active_state: String,
    pub(super) sub_state: String,
    pub(super) fragment_path: String,
    pub(super) drop_in_paths: Vec<String>,
    pub(super) need_daemon_reload: bool,
    /// Its number, 0 for none.
    pub(super) job: (u32, OwnedObjectPath),
    pub(super) active_enter_timestamp: u64,
    #[zbus(rename = "StartLimitIntervalUSec")]
    pub(super) start_limit_interval: Option<u64>,
    pub(super) start_limit_burst: Option<u32>,
}

/// What the toolkit reads of the interface `org.freedesktop.systemd1.Socket`.
#[derive(Debug, zbus::DeserializeDict, zbus::Type)]
#[zbus(signature = "a{sv}", rename_all = "PascalCase")]
pub(super) struct SocketProperties {
    #[zbus(rename = "TriggerLimitIntervalUSec")]
    pub(super) trigger_limit_interval: Option<u64>,
    pub(super) trigger_limit_burst: Option<u32>,
}

/// What the toolkit reads of the interface `org.freedesktop.systemd1.Service`.
#[derive(Debug, zbus::DeserializeDict, zbus::Type)]
#[zbus(signature = "a{sv}", rename_all = "PascalCase")]
pub(super) struct ServiceProperties {
    pub(super) kill_mode: String,
    #[zbus(rename = "MainPID")]
    pub(super) main_pid: u32,
    pub(super) control_group: String,
    #[zbus(rename = "NRestarts")]
    pub(super) n_restarts: u32,
    pub(super) exec_start: Vec<ExecCommand>,
    pub(super) user: String,
    pub(super) result: String,
    pub(super) exec_main_code: i32,
    pub(super) exec_main_status: i32,
}
