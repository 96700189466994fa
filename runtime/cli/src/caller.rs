//! Who calls, and for whom.
//!
//! Guarantees: whether the caller is root is asked of the kernel; the owner is a real user that is
//! not root and has a home; a name that fits nobody changes nothing.

use std::path::PathBuf;

use banger_installer::error_kind::ErrorKind;
use banger_installer::model::Owner;
use banger_installer_host::is_word;

use super::Failure;

/// Why no owner could be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum OwnerError {
    /// Neither `--owner` nor `SUDO_USER`.
    #[error("no owner of the VMs is given")]
    Nobody,
    /// The user database has no such user.
    #[error("there is no user {user:?} on this machine")]
    Unknown {
        /// The name.
        user: String,
    },
    /// The receipt names a user whom the user database does not have, or not any more.
    #[error("banger is installed for {user}, and there is no such user on this machine")]
    Gone {
        /// The name.
        user: String,
    },
    /// root, or another name for uid 0.
    #[error("{user} is root, and VMs must not belong to root")]
    Root {
        /// The name.
        user: String,
    },
    /// The home folder cannot be named in a unit, or is missing.
    #[error("the home folder of {user}, {}, is not a folder", home.display())]
    NoHome {
        /// The name.
        user: String,
        /// The home folder, by the user database.
        home: PathBuf,
    },
    /// The user database cannot be read.
    #[error("cannot look up user {user:?}")]
    Lookup {
        /// The name.
        user: String,
        /// Why.
        source: nix::errno::Errno,
    },
}

impl OwnerError {
    fn hint(&self) -> String {
        let command = "sudo banger system install --owner USER";
        match self {
            Self::Nobody | Self::Root { .. } => command.into(),
            Self::Unknown { .. } => format!("{command}, with a name that `getent passwd` lists"),
            Self::Gone { .. } => format!("nothing was changed; {command} --change-owner"),
            Self::NoHome { home, .. } => {
                format!("create {} first, or name another user", home.display())
            }
            Self::Lookup { user, .. } => format!("getent passwd {user}"),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Nobody | Self::Root { .. } => ErrorKind::Usage,
            Self::Unknown { .. } | Self::Gone { .. } | Self::NoHome { .. } => ErrorKind::BadInput,
            Self::Lookup { .. } => ErrorKind::HostLacks,
        }
    }
}

impl From<OwnerError> for Failure {
    fn from(error: OwnerError) -> Self {
        Self::new(&error, Some(error.hint()), error.kind())
    }
}

/// Refuses everybody but root, with the one line to type.
pub(super) fn require_root() -> Result<(), Failure> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let words = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned());
    Err(Failure::plain(
        not_root(words),
        None,
        ErrorKind::NotPermitted,
    ))
}

fn not_root(words: impl Iterator<Item = String>) -> String {
    let typed: Vec<String> = words.map(|word| shell_word(&word)).collect();
    format!(
        "only root may do this; type: sudo banger {}",
        typed.join(" ")
    )
}

/// A word as a POSIX shell must be given it.
fn shell_word(word: &str) -> String {
    if is_word(word, b"-_./:=@%+,") {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The owner: `--owner`, else the user who called sudo (sudo(8), `SUDO_USER`), else nobody.
///
/// `lookup` asks the user database.
pub(super) fn choose_owner(
    named: Option<&str>,
    sudo_user: Option<&str>,
    lookup: impl Fn(&str) -> Result<Option<Owner>, nix::errno::Errno>,
) -> Result<Owner, OwnerError> {
    // under `sudo -i` as root SUDO_USER may be root itself: then nobody was named
    let user = match (named, sudo_user) {
        (Some(name), _) => name,
        (None, Some(name)) if !name.is_empty() && name != "root" => name,
        _ => return Err(OwnerError::Nobody),
    };
    let owner = lookup(user)
        .map_err(|source| OwnerError::Lookup {
            user: user.into(),
            source,
        })?
        .ok_or_else(|| OwnerError::Unknown { user: user.into() })?;
    if owner.uid == 0 {
        return Err(OwnerError::Root { user: owner.user });
    }
    Ok(owner)
}

/// Refuses a receipt's owner who is no user: the owner daemon could not start as nobody.
pub(super) fn require_user(owner: &Owner) -> Result<(), OwnerError> {
    match choose_owner(Some(&owner.user), None, user_database) {
        Err(OwnerError::Unknown { user }) => Err(OwnerError::Gone { user }),
        other => other.map(drop),
    }
}

/// Refuses an owner whose home is no folder: the unit's `ReadOnlyPaths=` would not start.
pub(super) fn require_home(owner: &Owner) -> Result<(), OwnerError> {
    if owner.home.is_absolute() && owner.home.is_dir() {
        return Ok(());
    }
    Err(OwnerError::NoHome {
        user: owner.user.clone(),
        home: owner.home.clone(),
    })
}

/// Asks the user database (getpwnam(3)).
pub(super) fn user_database(name: &str) -> Result<Option<Owner>, nix::errno::Errno> {
    // an embedded NUL cannot be a user's name, and getpwnam cannot be asked for it
    if name.is_empty() || name.contains('\0') {
        return Ok(None);
    }
    Ok(nix::unistd::User::from_name(name)?.map(|user| Owner {
        user: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        home: user.dir,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps)] // it stands in for a lookup that can fail
    fn database(name: &str) -> Result<Option<Owner>, nix::errno::Errno> {
        let uid = match name {
            "alice" => 1000,
            "bob" => 1001,
            "root" | "toor" => 0,
            _ => return Ok(None),
        };
        Ok(Some(Owner {
            user: name.into(),
            uid,
            gid: uid,
            home: "/".into(),
        }))
    }

    #[test]
    fn the_owner_is_the_named_user_then_the_user_who_called_sudo() {
        let chosen = |named, sudo| choose_owner(named, sudo, database).map(|owner| owner.user);
        assert_eq!(chosen(Some("alice"), Some("bob")), Ok("alice".into()));
        assert_eq!(chosen(None, Some("bob")), Ok("bob".into()));
        assert_eq!(chosen(None, None), Err(OwnerError::Nobody));
        assert_eq!(chosen(None, Some("root")), Err(OwnerError::Nobody));
        assert_eq!(chosen(None, Some("")), Err(OwnerError::Nobody));
        assert_eq!(
            chosen(Some("mallory"), None),
            Err(OwnerError::Unknown {
                user: "mallory".into()
            })
        );
        assert_eq!(
            chosen(Some("toor"), None),
            Err(OwnerError::Root {
                user: "toor".into()
            })
        );
    }

    #[test]
    fn another_user_gets_one_line_with_the_sudo_command_to_type() {
        let words = ["system", "install", "--owner", "o'brien"].map(String::from);
        assert_eq!(
            not_root(words.into_iter()),
            r"only root may do this; type: sudo banger system install --owner 'o'\''brien'"
        );
    }
}
