//! banger's names, paths, units, sockets and limits.
//!
//! Guarantees: each stands here and nowhere else in the runtime.

pub mod build;
mod hints;
pub mod limits;

pub use hints::hint_text;

use std::path::{Path, PathBuf};

use banger_installer_host::{Layout, Owner, UnitKind, UnitName, UnitNameError, UnitSpec};
use banger_installer_systemd::unit::Values;

/// The product's short name.
pub const NAME: &str = "banger";

/// The program of both daemons.
pub const DAEMON: &str = "bangerd";

/// The programs of a release.
pub const PROGRAMS: [&str; 2] = [NAME, DAEMON];

/// The owner daemon's unit.
pub const OWNER_SERVICE: &str = "bangerd.service";

/// The root helper's unit.
pub const HELPER_SERVICE: &str = "bangerd-root.service";

/// The unit that rolls back an update that died, or that fails its health checks.
pub const RESCUE_SERVICE: &str = "banger-rescue.service";

/// The unit that starts an update once a day, where that was asked for.
pub const UPDATE_TIMER: &str = "banger-update.timer";

/// What it starts.
pub const UPDATE_SERVICE: &str = "banger-update.service";

/// The owner daemon's socket.
pub const OWNER_SOCKET: &str = "/run/banger/bangerd.sock";

/// The root helper's socket.
pub const HELPER_SOCKET: &str = "/run/banger-root/bangerd-root.sock";

/// The variable that, set to a folder in the installing environment, makes the owner daemon write
/// coverage profiles there.
pub const OWNER_COVERAGE_VARIABLE: &str = "BANGER_OWNER_COVERAGE_DIR";

/// The same for the root helper.
pub const HELPER_COVERAGE_VARIABLE: &str = "BANGER_HELPER_COVERAGE_DIR";

/// The unit templates that this version ships, in the order in which the units start.
pub const UNIT_TEMPLATES: [(&str, &str); 8] = [
    (
        "banger.slice",
        include_str!("../../../units/banger.slice.in"),
    ),
    (
        "bangerd-root.socket",
        include_str!("../../../units/bangerd-root.socket.in"),
    ),
    (
        "bangerd.socket",
        include_str!("../../../units/bangerd.socket.in"),
    ),
    (
        RESCUE_SERVICE,
        include_str!("../../../units/banger-rescue.service.in"),
    ),
    (
        HELPER_SERVICE,
        include_str!("../../../units/bangerd-root.service.in"),
    ),
    (
        OWNER_SERVICE,
        include_str!("../../../units/bangerd.service.in"),
    ),
    (
        UPDATE_SERVICE,
        include_str!("../../../units/banger-update.service.in"),
    ),
    (
        UPDATE_TIMER,
        include_str!("../../../units/banger-update.timer.in"),
    ),
];

/// The units of a release; their templates are `NAME.in`.
pub const UNITS: [&str; UNIT_TEMPLATES.len()] = {
    let mut names = [""; UNIT_TEMPLATES.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = UNIT_TEMPLATES[at].0;
        at += 1;
    }
    names
};

/// What the toolkit must know of each unit of a release, in the order in which they start.
///
/// # Errors
/// [`UnitNameError`], which only a wrong name in [`UNIT_TEMPLATES`] can cause.
pub fn unit_specs() -> Result<Vec<UnitSpec>, UnitNameError> {
    let spec = |name: &str| {
        let name: UnitName = name.parse()?;
        Ok(UnitSpec {
            enable: name.kind() != UnitKind::Slice && name.as_str() != UPDATE_SERVICE,
            stateful: matches!(name.as_str(), OWNER_SERVICE | HELPER_SERVICE),
            optional: name.as_str() == UPDATE_TIMER,
            name,
        })
    };
    UNITS.into_iter().map(spec).collect()
}

/// The target triple that this program was built for, as manifests name it.
pub fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// Where banger lies.
pub fn layout() -> Layout {
    let mut layout = Layout::new(NAME);
    layout.product_state = [
        "/var/lib/banger",
        "/var/lib/banger-root",
        "/var/cache/banger",
        "/run/banger",
        "/run/banger-root",
    ]
    .map(PathBuf::from)
    .to_vec();
    layout
}

/// Coverage folders, when the installing environment asks for coverage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// For the owner daemon.
    pub owner: Option<PathBuf>,
    /// For the root helper.
    pub helper: Option<PathBuf>,
}

impl Coverage {
    /// Those whose folder is root's or the `owner`'s (the helper's: root's alone) and nobody else's to
    /// write: root's unit will name it, and a link or a folder of another's would lead it astray.
    #[must_use]
    pub fn trusted(self, owner_uid: u32) -> Self {
        Self {
            owner: self.owner.filter(|folder| is_own(folder, &[0, owner_uid])),
            helper: self.helper.filter(|folder| is_own(folder, &[0])),
        }
    }

    /// Reads the two variables through `lookup`; an empty one counts as unset.
    pub fn from_environment(lookup: impl Fn(&str) -> Option<std::ffi::OsString>) -> Self {
        let folder = |name| {
            lookup(name)
                .filter(|folder| !folder.is_empty())
                .map(PathBuf::from)
        };
        Self {
            owner: folder(OWNER_COVERAGE_VARIABLE),
            helper: folder(HELPER_COVERAGE_VARIABLE),
        }
    }
}

/// Whether an absolute path leads, without a link in its last place, to a folder of one of `users`
/// that only its owner can write.
fn is_own(folder: &Path, users: &[u32]) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::symlink_metadata(folder);
    folder.is_absolute()
        && found.is_ok_and(|found| {
            found.is_dir() && users.contains(&found.uid()) && found.mode() & 0o022 == 0
        })
}

/// The values that the unit templates ask for.
///
/// `programs` is the folder that `ExecStart=` names; it stays the same over all versions, so that
/// the units of one version run the programs of any other.
pub fn unit_values(owner: &Owner, programs: &Path, coverage: &Coverage) -> Values {
    // %p and %m are the coverage runtime's own marks for the process id and the binary
    // (LLVM source-based coverage, "Running the instrumented program")
    let pattern = |folder: &PathBuf| text(&folder.join("%p-%m.profraw"));
    let folder = |folder: &PathBuf| text(folder);
    Values::new()
        .with("programs", text(programs))
        .with("owner_user", &owner.user)
        .with("owner_uid", owner.uid.to_string())
        .with("owner_gid", owner.gid.to_string())
        .with("owner_home", text(&owner.home))
        .with_optional("owner_coverage", coverage.owner.as_ref().map(pattern))
        .with_optional("owner_coverage_dir", coverage.owner.as_ref().map(folder))
        .with_optional("helper_coverage", coverage.helper.as_ref().map(pattern))
        .with_optional("helper_coverage_dir", coverage.helper.as_ref().map(folder))
}

/// Paths reach units as text; bytes that are not UTF-8 become U+FFFD, so that the unit names no
/// existing folder and the service refuses to start instead of opening another one.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coverage_folder_that_another_can_write_is_not_named_in_a_unit() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        std::fs::create_dir(&own).unwrap();
        let uid = std::fs::metadata(&own).unwrap().uid();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&own, &link).unwrap();
        let kept = |path: &Path, owner: u32| {
            let coverage = Coverage {
                owner: Some(path.into()),
                helper: None,
            };
            coverage.trusted(owner).owner.is_some()
        };
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(kept(&own, uid));
        assert!(!kept(&link, uid));
        assert!(!kept(Path::new("own"), uid));
        assert!(!kept(&folder.path().join("missing"), uid));
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(!kept(&own, uid));
    }

    #[test]
    fn names_that_lie_on_hosts_already_stay_as_they_are() {
        let layout = layout();
        let unit = OWNER_SERVICE.parse().unwrap();
        let folder = "/etc/systemd/system/bangerd.service.d";
        let own = layout.keep_guests_drop_in(&unit);
        assert_eq!(own, Path::new(folder).join("zzz-banger-keep-guests.conf"));
        let backup = layout.backup_of(Path::new("/run/systemd/system/x.conf"));
        let expected = "/run/systemd/system/x.conf.set-aside-by-banger";
        assert_eq!(backup, Path::new(expected));
        assert_eq!(layout.receipt(), Path::new("/etc/banger/install.json"));
        assert_eq!(
            layout.journal(),
            Path::new("/var/lib/banger-install/journal.json")
        );
        assert_eq!(layout.lock, Path::new("/run/banger-install.lock"));
        assert_eq!(layout.current(), Path::new("/usr/local/lib/banger/current"));
    }

    #[test]
    fn an_empty_coverage_variable_counts_as_unset() {
        let coverage = Coverage::from_environment(|_| Some(std::ffi::OsString::new()));
        assert_eq!(coverage, Coverage::default());
    }
}
