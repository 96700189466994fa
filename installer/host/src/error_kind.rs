//! The kinds of failure that a caller, a script or a service manager tells apart.
//!
//! Guarantees: one kind, one exit code, and every error of the toolkit that reaches a user has a
//! kind. The codes are part of the command line's promise: a number is never given a second
//! meaning.

/// What sort of failure an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The command line or a configuration file is wrong.
    Usage,
    /// The caller may not do this, or is not the owner.
    NotPermitted,
    /// Nothing is installed, or the daemon cannot be reached.
    NotInstalled,
    /// The host lacks something: systemd, D-Bus, /dev/kvm, a program, disk space.
    HostLacks,
    /// A release is not to be believed or does not fit: signature, digest, target, sequence.
    Refused,
    /// The release source cannot be reached, or none is configured.
    Unreachable,
    /// Another operation holds the lock.
    Locked,
    /// The change failed and was rolled back; the host is as before.
    RolledBack,
    /// What the user handed in (a name, a kernel file) cannot be used.
    BadInput,
    /// Running guests stand in the way.
    GuestsInTheWay,
    /// A file that the software itself wrote cannot be used: damaged, or of a later version.
    Damaged,
    /// What an administrator did on purpose, or somebody else's, stands in the way: a masked unit,
    /// a unit of the same name.
    InTheWay,
    /// A signal ended the operation; what it had done was rolled back.
    Interrupted,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// The exit code of a command that failed so. 0 is success and 10 "an update is available"; both
    /// are no errors.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 2,
            Self::NotPermitted => 3,
            Self::NotInstalled => 4,
            Self::HostLacks => 5,
            Self::Refused => 6,
            Self::Unreachable => 7,
            Self::Locked => 8,
            Self::RolledBack => 9,
            Self::BadInput => 11,
            Self::GuestsInTheWay => 12,
            Self::Damaged => 13,
            Self::InTheWay => 14,
            Self::Interrupted => 130,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorKind::*;

    #[test]
    fn each_kind_has_a_code_of_its_own_and_none_says_success() {
        let kinds = [
            Usage,
            NotPermitted,
            NotInstalled,
            HostLacks,
            Refused,
            Unreachable,
            Locked,
            RolledBack,
            BadInput,
            GuestsInTheWay,
            Damaged,
            InTheWay,
            Interrupted,
            Other,
        ];
        let mut codes: Vec<u8> = kinds.iter().map(|kind| kind.exit_code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), kinds.len());
        assert!(!codes.contains(&0) && !codes.contains(&10));
    }
}
