//! Whether `/proc` shows every process.
//!
//! With `hidepid=` (proc(5)) a process that lives may look as if it were gone. A program that cannot
//! see must know it: what is missing from a list that was cut proves nothing.

/// Why not every process can be seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Blindness {
    /// Not even the first one can be read.
    #[error("process 1 cannot be read in /proc")]
    NoInit,
    /// Which boot this is cannot be told, so neither can it be told of which boot a number is.
    #[error("/proc/sys/kernel/random/boot_id cannot be read")]
    NoBoot,
    /// An option of the mount hides some.
    #[error("/proc is mounted with {option}, which hides what other users run")]
    Hidden {
        /// The option as the kernel shows it.
        option: String,
    },
}

impl Blindness {
    /// What to type.
    pub fn hint(&self) -> String {
        "sudo mount -o remount,hidepid=0 /proc; where only a service is kept from seeing, take \
         ProtectProc= and ProcSubset= out of its drop-ins"
            .into()
    }
}

/// `CAP_SYS_PTRACE` (linux/capability.h): who has it sees through `hidepid=`.
const CAP_SYS_PTRACE: u32 = 19;

/// Decides by what `/proc` shows of process 1 (`init`, its `stat`), by this process's own mounts
/// (`/proc/self/mountinfo`) and by its own identity (`/proc/self/status`).
pub(super) fn blindness(init: Option<&[u8]>, mounts: &str, status: &str) -> Option<Blindness> {
    if !init.is_some_and(|stat| stat.starts_with(b"1 (")) {
        return Some(Blindness::NoInit);
    }
    let options = options_of_proc(mounts)?;
    let value = |name: &str| {
        let values = options.split(',').filter_map(|word| word.split_once('='));
        let mut of_name = values.rev().filter(|(key, _)| *key == name);
        of_name.next().map(|(_, is)| is)
    };
    let hidden = |option: String| Some(Blindness::Hidden { option });
    if let Some(subset) = value("subset") {
        return hidden(format!("subset={subset}"));
    }
    let hidepid = value("hidepid")?;
    let exempt = value("gid").and_then(|gid| gid.parse().ok()).unwrap_or(0);
    // proc(5); the kernel's has_pid_permissions (fs/proc/base.c) lets the exempt group pass for all
    // values but the last one
    let hides = match hidepid {
        "0" | "off" => false,
        "1" | "noaccess" | "2" | "invisible" => !is_in_group(status, exempt),
        _ => true,
    };
    if hides && !has_capability(status, CAP_SYS_PTRACE) {
        hidden(format!("hidepid={hidepid}"))
    } else {
        None
    }
}

/// The options of the file system that is on top at `/proc` (`proc_pid_mountinfo(5)`).
fn options_of_proc(mounts: &str) -> Option<&str> {
    // the last one mounted is on top
    mounts.lines().rev().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let is_at_proc = mount.split(' ').nth(4) == Some("/proc");
        let mut fields = file_system.split(' ');
        let is_proc = fields.next() == Some("proc");
        fields.nth(1).filter(|_| is_at_proc && is_proc)
    })
}

fn line<'text>(status: &'text str, name: &str) -> Option<&'text str> {
    status.lines().find_map(|line| line.strip_prefix(name))
}

fn is_in_group(status: &str, group: u32) -> bool {
    // of the four ids the last is the one that counts for files
    let own = line(status, "Gid:").and_then(|ids| ids.split_whitespace().last());
    let others = line(status, "Groups:").unwrap_or_default();
    let mut all = own.into_iter().chain(others.split_whitespace());
    all.any(|id| id.parse() == Ok(group))
}

fn has_capability(status: &str, number: u32) -> bool {
    let effective = line(status, "CapEff:").map(str::trim);
    let bits = effective.and_then(|bits| u64::from_str_radix(bits, 16).ok());
    bits.is_some_and(|bits| bits & (1 << number) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INIT: &[u8] = b"1 (systemd) S 0 1 1";
    const PLAIN: &str = "Name:\tbangerd\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t\n\
                         CapEff:\t00000000002021db\n";

    fn mounts(options: &str) -> String {
        format!(
            "21 1 8:1 / / rw - ext4 /dev/vda rw,hidepid=2\n\
             22 21 0:20 / /proc rw,nosuid shared:5 - proc proc {options}\n\
             23 22 0:30 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n"
        )
    }

    #[test]
    fn the_table_of_mount_options() {
        for (options, hides) in [
            ("rw", false),
            ("rw,hidepid=0", false),
            ("rw,hidepid=off", false),
            ("rw,hidepid=ptraceable", true),
            ("rw,hidepid=4", true),
            // the group that may see is root's own unless another one is named
            ("rw,hidepid=2", false),
            ("rw,gid=27,hidepid=invisible", true),
            ("rw,gid=27,hidepid=1", true),
            ("rw,subset=pid", true),
            ("rw,hidepid=somethingnew", true),
        ] {
            let found = blindness(Some(INIT), &mounts(options), PLAIN);
            assert_eq!(found.is_some(), hides, "{options}: {found:?}");
        }
    }

    #[test]
    fn who_may_trace_or_is_of_the_group_sees_through() {
        let hiding = mounts("rw,gid=27,hidepid=invisible");
        let of_group = PLAIN.replace("Groups:\t", "Groups:\t4 27");
        assert_eq!(blindness(Some(INIT), &hiding, &of_group), None);
        let tracer = PLAIN.replace("00000000002021db", "00000000002a21db");
        assert_eq!(blindness(Some(INIT), &hiding, &tracer), None);
    }

    #[test]
    fn the_upper_mount_counts() {
        let over = mounts("rw") + "40 22 0:44 / /proc rw - proc proc rw,hidepid=ptraceable\n";
        assert!(blindness(Some(INIT), &over, PLAIN).is_some());
    }

    #[test]
    fn without_process_1_nothing_is_seen() {
        for init in [None, Some(&b""[..]), Some(b"12 (sh) S"), Some(b"1")] {
            let found = blindness(init, &mounts("rw"), PLAIN);
            assert_eq!(found, Some(Blindness::NoInit), "{init:?}");
        }
    }
}
