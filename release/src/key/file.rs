//! Files that hold a secret, a key or a password, before they are read.
//!
//! Guarantees: a file that others than its reader could read or have written is refused; a descriptor
//! that was handed over is taken from its number, so that no program started later inherits it.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{DumpableBehavior, geteuid, set_dumpable_behavior};

use crate::ReleaseError;

/// Group's and others' permissions.
const OTHERS: u32 = 0o077;
/// Standard input; a descriptor of that number is taken by putting `/dev/null` in its place.
const STANDARD_INPUT: u32 = 0;

/// A file with a secret in it, which is read when it is needed.
#[derive(Debug)]
pub struct SecretFile {
    path: PathBuf,
    open: Option<File>,
}

impl SecretFile {
    /// The file of a name; it is opened when it is read.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            open: None,
        }
    }

    /// Takes open descriptors from the numbers that a caller names: afterwards nothing is open under
    /// the numbers, and what is open here closes at an exec (`fcntl(2)`, `FD_CLOEXEC`). All numbers
    /// of a command belong in one call, since what is opened here gets numbers, too.
    ///
    /// # Errors
    /// [`ReleaseError::Read`] when one is not open, [`ReleaseError::OutputDescriptor`] for the
    /// standard output and standard error.
    pub fn take_descriptors(numbers: &[u32]) -> Result<Vec<Self>, ReleaseError> {
        for number in numbers {
            if matches!(number, 1 | 2) {
                return Err(ReleaseError::OutputDescriptor { number: *number });
            }
            let path = name_of(*number);
            fs_err::symlink_metadata(&path).map_err(ReleaseError::read(&path))?;
        }
        let taken = numbers
            .iter()
            .map(|number| {
                let path = name_of(*number);
                let file = File::open(&path).map_err(ReleaseError::read(&path))?;
                Ok(Self {
                    path,
                    open: Some(file),
                })
            })
            .collect::<Result<Vec<_>, ReleaseError>>()?;
        let mut distinct = numbers.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        for number in distinct {
            close(number).map_err(ReleaseError::read(&name_of(number)))?;
        }
        Ok(taken)
    }

    /// Its name, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it may be read, without opening or reading it.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn check(&self) -> Result<(), ReleaseError> {
        let found = match &self.open {
            Some(file) => file.metadata(),
            None => std::fs::metadata(&self.path),
        };
        check(&self.path, &found.map_err(ReleaseError::read(&self.path))?)
    }

    /// Reads it whole.
    pub(crate) fn read(&self) -> Result<String, ReleaseError> {
        if let Some(file) = &self.open {
            return read(&self.path, file);
        }
        let file = File::open(&self.path).map_err(ReleaseError::read(&self.path))?;
        read(&self.path, &file)
    }
}

/// Keeps programs of the same user from reading what this process holds, its memory and its
/// descriptors (`PR_SET_DUMPABLE(2const)`, `proc(5)`); it leaves no core dump either. What root runs
/// is not kept out.
///
/// # Errors
/// [`ReleaseError::Write`], when the kernel refuses.
pub fn hide_from_own_user() -> Result<(), ReleaseError> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| ReleaseError::write(Path::new("/proc/self"))(error.into()))
}

fn read(path: &Path, mut file: &File) -> Result<String, ReleaseError> {
    // of the file that was opened, not of what has its name by now
    check(path, &file.metadata().map_err(ReleaseError::read(path))?)?;
    let mut text = String::new();
    file.read_to_string(&mut text)
        .map_err(ReleaseError::read(path))?;
    Ok(text)
}

fn check(path: &Path, found: &Metadata) -> Result<(), ReleaseError> {
    // a pipe has two ends and no other reader; a file has an owner and a mode
    if !found.is_file() {
        return Ok(());
    }
    check_file(path, found.mode() & 0o7777, found.uid(), geteuid().as_raw())
}

fn check_file(path: &Path, mode: u32, uid: u32, own: u32) -> Result<(), ReleaseError> {
    let path = path.to_owned();
    if mode & OTHERS != 0 {
        return Err(ReleaseError::OpenToOthers { path, mode });
    }
    if uid != own && uid != 0 {
        return Err(ReleaseError::ForeignSecret { path, uid });
    }
    Ok(())
}

/// The name of an open descriptor (`proc_pid_fd(5)`).
fn name_of(number: u32) -> PathBuf {
    format!("/proc/self/fd/{number}").into()
}

fn close(number: u32) -> io::Result<()> {
    if number == STANDARD_INPUT {
        let nothing = File::open("/dev/null")?;
        return Ok(rustix::stdio::dup2_stdin(&nothing)?);
    }
    let number = i32::try_from(number).map_err(io::Error::other)?;
    Ok(nix::unistd::close(number)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_of_another_user_is_refused_even_by_root() {
        let check = |uid, own| check_file(Path::new("banger.key"), 0o600, uid, own);
        for (uid, own) in [(1000, 1000), (0, 0), (0, 1000)] {
            check(uid, own).unwrap();
        }
        for (uid, own) in [(1001, 1000), (1000, 0)] {
            let refused = check(uid, own).unwrap_err();
            assert!(refused.to_string().contains(&format!("uid {uid}")));
            assert!(
                refused
                    .hint()
                    .unwrap()
                    .contains("install -m 600 banger.key")
            );
        }
    }

    #[test]
    fn a_secret_that_others_can_read_or_write_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret").unwrap();
        let secret = SecretFile::named(file.path());
        for mode in [0o600, 0o400] {
            std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
            secret.check().unwrap();
            assert_eq!(secret.read().unwrap(), "secret");
        }
        for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o666] {
            std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
            for refused in [secret.check().unwrap_err(), secret.read().unwrap_err()] {
                let told = format!("{refused}");
                assert!(told.contains(&format!("{mode:04o}")), "{told}");
                assert!(refused.hint().unwrap().contains("chmod 600"));
            }
        }
    }
}
