//! The user and group ids that VMs run as: which they are, which is next, and who else may use them.
//!
//! Guarantees: nothing here says that a process is a VM's because of its uid alone: others may use
//! the same numbers, rightly or not.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use nix::unistd::{Gid, Group, Uid, User};

/// The first uid, and gid, that VMs run as.
///
/// The range is one that no other software takes by itself: above the containers of
/// systemd-nspawn(1), which end at `1_879_048_191`, and below systemd's foreign range, which begins
/// at `2_147_352_576` (systemd.io/UIDS-GIDS); above `SUB_UID_MAX` of useradd(8), `600_100_000`
/// (login.defs(5)); and above the ids that SSSD and `FreeIPA` make from domains, which end at
/// `2_000_200_000` (sssd-ad(5), `ldap_idmap_range_max`).
pub const FIRST_UID: u32 = 2_100_000_000;
/// The last uid that VMs run as.
pub const LAST_UID: u32 = 2_100_065_535;

/// The range of versions up to 0.1.0, whose VMs may still run. It lies within ranges of containers.
const FORMER: RangeInclusive<u32> = 600_000..=665_535;

/// A VM of this or of a former version may run as `uid`.
pub fn may_be_of_a_vm(uid: u32) -> bool {
    (FIRST_UID..=LAST_UID).contains(&uid) || FORMER.contains(&uid)
}

/// The uid for a new VM: the first after `last`, in a round, that is not taken. So one that was
/// given back is given out again as late as can be. None when all are taken.
pub fn next_free(last: Option<u32>, taken: impl Fn(u32) -> bool) -> Option<u32> {
    let first = last
        .filter(|last| (FIRST_UID..LAST_UID).contains(last))
        .map_or(FIRST_UID, |last| last + 1);
    let mut round = (first..=LAST_UID).chain(FIRST_UID..first);
    round.find(|uid| !taken(*uid))
}

/// Somebody else who has ids of the range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A line of a file.
    #[error(
        "line {number} of {file} takes ids of {FIRST_UID} to {LAST_UID}, which VMs run as: {text:?}"
    )]
    Line {
        /// The file.
        file: &'static str,
        /// The line's number, from 1.
        number: usize,
        /// The line.
        text: String,
    },
    /// A user or group from elsewhere than the files.
    #[error("{kind} {name:?} has the id {id}, one of {FIRST_UID} to {LAST_UID}, which VMs run as")]
    Known {
        /// User or group.
        kind: Kind,
        /// Its name.
        name: String,
        /// Its id.
        id: u32,
    },
}

impl Conflict {
    /// What to type.
    pub fn hint(&self) -> String {
        match self {
            Self::Line { file, .. } => format!(
                "give whoever the line names other ids: sudoedit {file} (for subordinate ids see \
                 usermod(8), --del-subuids and --add-subuids)"
            ),
            Self::Known { kind, name, .. } => format!(
                "give it another id where the directory is kept; `getent {} {name}` shows it",
                match kind {
                    Kind::User => "passwd",
                    Kind::Group => "group",
                }
            ),
        }
    }
}

/// What an id is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of a user.
    User,
    /// Of a group.
    Group,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::User => "user",
            Self::Group => "group",
        })
    }
}

/// The texts of the four files; empty for one that is missing.
#[derive(Debug, Clone, Default)]
pub struct Databases {
    /// `/etc/subuid` (subuid(5)).
    pub subuid: String,
    /// `/etc/subgid` (subgid(5)).
    pub subgid: String,
    /// `/etc/passwd` (passwd(5)).
    pub passwd: String,
    /// `/etc/group` (group(5)).
    pub group: String,
}

/// Ids between two that the user database is asked for: a directory service gives out ranges, and
/// asking it for each one would take minutes.
const STRIDE: usize = 4096;

/// Who else has ids of the range: by the files, and by what `lookup` (the name service switch,
/// nsswitch.conf(5)) knows of some ids in it, both ends included. A line that none of the programs
/// that own the files would read counts for nothing.
pub fn conflicts(files: &Databases, lookup: impl Fn(Kind, u32) -> Option<String>) -> Vec<Conflict> {
    let mut found = Vec::new();
    for (file, text, columns) in [
        ("/etc/subuid", &files.subuid, Columns::Range),
        ("/etc/subgid", &files.subgid, Columns::Range),
        ("/etc/passwd", &files.passwd, Columns::UserAndGroup),
        ("/etc/group", &files.group, Columns::Group),
    ] {
        for (number, line) in (1..).zip(text.lines()) {
            if columns.overlap(line) {
                found.push(Conflict::Line {
                    file,
                    number,
                    text: line.into(),
                });
            }
        }
    }
    let sampled = (FIRST_UID..=LAST_UID).step_by(STRIDE).chain([LAST_UID]);
    for id in sampled {
        for kind in [Kind::User, Kind::Group] {
            if let Some(name) = lookup(kind, id) {
                found.push(Conflict::Known { kind, name, id });
            }
        }
    }
    found
}

/// Where a file has its ids.
#[derive(Clone, Copy)]
enum Columns {
    /// Name, first id, count.
    Range,
    /// Name, password, uid, gid.
    UserAndGroup,
    /// Name, password, gid.
    Group,
}

impl Columns {
    fn overlap(self, line: &str) -> bool {
        let fields: Vec<&str> = line.split(':').map(str::trim).collect();
        let number = |index: usize| {
            fields
                .get(index)
                .and_then(|field| field.parse::<u64>().ok())
        };
        let is_of_range = |id: Option<u64>| {
            id.is_some_and(|id| (u64::from(FIRST_UID)..=u64::from(LAST_UID)).contains(&id))
        };
        if fields.first().is_some_and(|name| name.starts_with('#')) {
            return false;
        }
        match self {
            Self::Range => match (number(1), number(2)) {
                (Some(first), Some(count)) if count > 0 => {
                    let last = first.saturating_add(count - 1);
                    first <= u64::from(LAST_UID) && last >= u64::from(FIRST_UID)
                }
                _ => false,
            },
            Self::UserAndGroup => is_of_range(number(2)) || is_of_range(number(3)),
            Self::Group => is_of_range(number(2)),
        }
    }
}

/// Checks this host for others who have ids of the range.
///
/// # Errors
/// The first [`Conflict`].
pub fn check_host() -> Result<(), Conflict> {
    let text = |path: &str| {
        let bytes = fs_err::read(path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let files = Databases {
        subuid: text("/etc/subuid"),
        subgid: text("/etc/subgid"),
        passwd: text("/etc/passwd"),
        group: text("/etc/group"),
    };
    // one that cannot be asked knows of nobody
    let lookup = |kind, id| match kind {
        Kind::User => User::from_uid(Uid::from_raw(id))
            .ok()?
            .map(|user| user.name),
        Kind::Group => Group::from_gid(Gid::from_raw(id))
            .ok()?
            .map(|group| group.name),
    };
    conflicts(&files, lookup)
        .into_iter()
        .next()
        .map_or(Ok(()), Err)
}

/// The uids of all processes that there are, as far as they can be read.
///
/// # Errors
/// When they cannot be listed.
pub fn in_use(processes: &dyn crate::observe::Processes) -> std::io::Result<BTreeSet<u32>> {
    let uids = processes.pids()?.into_iter();
    Ok(uids.filter_map(|pid| processes.uid(pid).ok()?).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody(_: Kind, _: u32) -> Option<String> {
        None
    }

    #[test]
    fn the_range_keeps_away_from_those_of_others() {
        // systemd.io/UIDS-GIDS, login.defs(5), sssd-ad(5); subuid ranges of distributions begin low
        for (what, range) in [
            ("containers of systemd-nspawn", 524_288..=1_879_048_191),
            ("subordinate ids", 100_000..=600_100_000),
            ("domains", 200_000..=2_000_200_000),
            ("foreign ids of systemd", 2_147_352_576..=2_147_418_111),
        ] {
            let apart = LAST_UID < *range.start() || FIRST_UID > *range.end();
            assert!(apart, "{what}");
        }
        assert!(i32::try_from(LAST_UID).is_ok());
    }

    #[test]
    fn ids_are_given_out_in_a_round() {
        let free = |_| false;
        assert_eq!(next_free(None, free), Some(FIRST_UID));
        assert_eq!(next_free(Some(FIRST_UID), free), Some(FIRST_UID + 1));
        assert_eq!(next_free(Some(LAST_UID), free), Some(FIRST_UID));
        assert_eq!(next_free(Some(LAST_UID - 1), free), Some(LAST_UID));
        // a cursor of another range is none
        assert_eq!(next_free(Some(600_000), free), Some(FIRST_UID));
        let only = |uid| uid != FIRST_UID + 1;
        assert_eq!(next_free(Some(FIRST_UID + 1), only), Some(FIRST_UID + 1));
        assert_eq!(next_free(Some(FIRST_UID + 7), |_| true), None);
    }

    #[test]
    fn a_line_that_overlaps_the_range_is_named() {
        let files = Databases {
            subuid: "alice:100000:65536\nbob:2100065535:1\n".into(),
            subgid: "# 2100000000\nroot:1000000:2147483647\ndave:2099999999:1\n".into(),
            passwd: "root:x:0:0::/:/bin/sh\neve:x:2100000000:100::/:/bin/sh\n\
                     fay:x:1001:2100000001::/:/bin/sh\n"
                .into(),
            group: "users:x:100:\nguests:x:2100000003:eve\n".into(),
        };
        let shown: Vec<(&str, usize)> = conflicts(&files, nobody)
            .into_iter()
            .map(|found| match found {
                Conflict::Line { file, number, .. } => (file, number),
                Conflict::Known { .. } => panic!("{found}"),
            })
            .collect();
        let expected = [
            ("/etc/subuid", 2),
            ("/etc/subgid", 2),
            ("/etc/passwd", 2),
            ("/etc/passwd", 3),
            ("/etc/group", 2),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn lines_that_are_none_stand_in_nobodys_way() {
        for text in [
            "",
            ":",
            "x:2100000000",
            "x:2100000000:0",
            "x:2100000000:-1",
            "x:99999999999999999999:1",
            "#x:2100000000:1",
            "+@domain::::::",
        ] {
            let files = Databases {
                subuid: text.into(),
                subgid: text.into(),
                ..Databases::default()
            };
            assert_eq!(conflicts(&files, nobody), [], "{text:?}");
        }
        let endless = Databases {
            subuid: "x:1:18446744073709551615".into(),
            ..Databases::default()
        };
        assert_eq!(conflicts(&endless, nobody).len(), 1);
    }

    #[test]
    fn a_directory_that_gives_out_the_range_is_found() {
        let directory = |kind, id: u32| {
            (kind == Kind::User && id > FIRST_UID + 50_000).then(|| format!("user{id}"))
        };
        let found = conflicts(&Databases::default(), directory);
        assert!(found.len() >= 3, "{found:?}");
        assert!(found.iter().all(|one| one.hint().contains("getent passwd")));
        let last_alone = |kind, id| (kind == Kind::Group && id == LAST_UID).then(|| "g".into());
        assert_eq!(conflicts(&Databases::default(), last_alone).len(), 1);
    }
}
