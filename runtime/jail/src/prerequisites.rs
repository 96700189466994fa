//! What a host must have before a VM can start. `banger system install` asks the same.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Folders that programs are taken from, in this order.
const PROGRAM_FOLDERS: [&str; 2] = ["/usr/local/bin", "/usr/bin"];

/// The two programs of Firecracker's release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The virtual machine monitor. Its file name is `firecracker`, which the pidfile's name and
    /// the process's `comm` follow.
    pub firecracker: PathBuf,
    /// The program that jails it.
    pub jailer: PathBuf,
}

/// Something that the host lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostLack {
    /// No KVM.
    #[error("there is no /dev/kvm on this machine")]
    Kvm,
    /// A program is missing.
    #[error("{program} is not installed")]
    Missing {
        /// Its name.
        program: &'static str,
    },
    /// A program is there, but others than root could have put it there or can change it.
    #[error("{path} is not to be trusted: {reason}")]
    Untrusted {
        /// Where it is.
        path: String,
        /// Why.
        reason: &'static str,
    },
}

impl HostLack {
    /// What to type.
    pub fn hint(&self) -> String {
        match self {
            Self::Kvm => "load KVM with `sudo modprobe kvm_intel` or `kvm_amd`, or switch \
                          virtualisation on in the firmware"
                .into(),
            Self::Missing { program } => format!(
                "put {program} of a Firecracker release \
                 (https://github.com/firecracker-microvm/firecracker/releases) into \
                 /usr/local/bin, owned by root, under just that name"
            ),
            Self::Untrusted { path, .. } => {
                format!("sudo chown root:root {path} && sudo chmod 0755 {path}")
            }
        }
    }
}

/// Checks for KVM, Firecracker and the jailer.
///
/// # Errors
/// The first [`HostLack`].
pub fn check_host() -> Result<Programs, HostLack> {
    let folders = PROGRAM_FOLDERS.map(PathBuf::from);
    check_host_in(Path::new("/dev/kvm"), &folders)
}

fn check_host_in(kvm: &Path, folders: &[PathBuf]) -> Result<Programs, HostLack> {
    let is_device = |found: std::fs::Metadata| found.file_type().is_char_device();
    if !std::fs::metadata(kvm).is_ok_and(is_device) {
        return Err(HostLack::Kvm);
    }
    Ok(Programs {
        firecracker: find("firecracker", folders)?,
        jailer: find("jailer", folders)?,
    })
}

fn find(program: &'static str, folders: &[PathBuf]) -> Result<PathBuf, HostLack> {
    for folder in folders {
        let path = folder.join(program);
        // a link may come from a package manager; what counts is what it leads to
        let Ok(real) = fs_err::canonicalize(&path) else {
            continue;
        };
        let Ok(found) = fs_err::metadata(&real) else {
            continue;
        };
        let reason = match () {
            () if real.file_name().is_none_or(|name| name != program) => "it has another name",
            () if !found.is_file() => "it is no regular file",
            () if found.uid() != 0 => "it is not root's",
            () if found.mode() & 0o022 != 0 => "others than root may write it",
            () if found.mode() & 0o111 == 0 => "it is not executable",
            () => return Ok(real),
        };
        return Err(HostLack::Untrusted {
            path: path.display().to_string(),
            reason,
        });
    }
    Err(HostLack::Missing { program })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn program(folder: &Path, name: &str, mode: u32) {
        let path = folder.join(name);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_in_the_place_of_kvm_is_no_kvm() {
        let folder = tempfile::tempdir().unwrap();
        program(folder.path(), "kvm", 0o666);
        let found = check_host_in(&folder.path().join("kvm"), &[]);
        assert_eq!(found, Err(HostLack::Kvm));
        assert!(HostLack::Kvm.hint().contains("modprobe"));
    }

    #[test]
    fn a_missing_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let lack = check_host_in(Path::new("/dev/null"), &[folder.path().into()]).unwrap_err();
        assert_eq!(lack.to_string(), "firecracker is not installed");
        assert!(lack.hint().contains("/usr/local/bin"));
    }

    #[test]
    fn a_program_that_others_may_write_or_own_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        program(folder.path(), "firecracker", 0o777);
        let lack = check_host_in(Path::new("/dev/null"), &[folder.path().into()]).unwrap_err();
        assert!(matches!(lack, HostLack::Untrusted { .. }), "{lack}");
        assert!(lack.hint().contains("chmod 0755"));
    }
}
