//! One look at the host's processes, for as many records as there are.
//!
//! Guarantees: of a process that is neither root's nor a VM's nothing but its uid is read, so what
//! others run costs little and can stop nothing; one that cannot be read hides no other; the process
//! that a record names is always asked for by its number, whatever the list of processes shows.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;

use super::{Blindness, ProcessInfo, Processes, groups};

/// What was found. Every question takes a time that does not grow with the number of processes by
/// more than its logarithm.
#[derive(Debug, Default)]
pub struct Scan {
    by_pid: BTreeMap<u32, ProcessInfo>,
    by_uid: BTreeMap<u32, Vec<u32>>,
    by_scope: BTreeMap<String, Vec<u32>>,
    /// The jailers and Firecrackers by the id on their command line.
    by_id: BTreeMap<String, Vec<u32>>,
    unreadable: BTreeMap<u32, String>,
    blindness: Option<Blindness>,
    root: String,
}

impl Scan {
    /// Looks at the processes with the numbers in `recorded`, and at every one that runs as root or
    /// as a uid that `of_a_vm` knows.
    ///
    /// # Errors
    /// When the processes cannot be listed: then nothing may be concluded.
    pub fn take(
        processes: &dyn Processes,
        recorded: &BTreeSet<u32>,
        of_a_vm: &dyn Fn(u32) -> bool,
    ) -> io::Result<Self> {
        let mut scan = Self {
            blindness: processes.blindness(),
            root: processes.control_group_root(),
            ..Self::default()
        };
        let mut pids: BTreeSet<u32> = processes.pids()?.into_iter().collect();
        pids.extend(recorded);
        for pid in pids {
            // root's may be a jailer that has not given up its rights yet
            let wanted = match processes.uid(pid) {
                Ok(uid) => uid.is_some_and(|uid| uid == 0 || of_a_vm(uid)),
                Err(_) => false,
            };
            let seen = match (wanted, recorded.contains(&pid)) {
                (true, _) => processes.see(pid),
                (false, true) => processes.identify(pid),
                (false, false) => continue,
            };
            match seen {
                Ok(Some(seen)) => scan.add(seen),
                Ok(None) => {}
                Err(error) => {
                    scan.unreadable.insert(pid, error.to_string());
                }
            }
        }
        Ok(scan)
    }

    fn add(&mut self, seen: ProcessInfo) {
        if seen.exited {
            return;
        }
        let pid = seen.pid;
        self.by_uid.entry(seen.uid).or_default().push(pid);
        if let Some(scope) = groups::scope_of(&self.root, &seen.control_group) {
            self.by_scope.entry(scope.into()).or_default().push(pid);
        }
        let launched = matches!(seen.comm.as_str(), "jailer" | "firecracker");
        if let Some(id) = seen.option("--id").and_then(OsStr::to_str)
            && launched
        {
            self.by_id.entry(id.into()).or_default().push(pid);
        }
        self.by_pid.insert(pid, seen);
    }

    /// Why not every process could be seen.
    pub fn blindness(&self) -> Option<&Blindness> {
        self.blindness.as_ref()
    }

    /// The living process with that number. None for one that was not asked for.
    pub fn at(&self, pid: u32) -> Option<&ProcessInfo> {
        self.by_pid.get(&pid)
    }

    /// Why the process with that number, which is there, could not be read.
    pub fn unreadable(&self, pid: u32) -> Option<&str> {
        self.unreadable.get(&pid).map(String::as_str)
    }

    /// Every process that was looked at, by number.
    pub fn all(&self) -> impl Iterator<Item = &ProcessInfo> {
        self.by_pid.values()
    }

    /// Those that run as `uid`.
    pub fn with_uid(&self, uid: u32) -> impl Iterator<Item = &ProcessInfo> {
        self.of(self.by_uid.get(&uid))
    }

    /// Those in a VM's scope of that name.
    pub fn in_scope(&self, scope: &str) -> impl Iterator<Item = &ProcessInfo> {
        self.of(self.by_scope.get(scope))
    }

    /// Jailers and Firecrackers whose command line carries that id.
    pub fn named(&self, id: &str) -> impl Iterator<Item = &ProcessInfo> {
        self.of(self.by_id.get(id))
    }

    fn of<'scan>(
        &'scan self,
        pids: Option<&'scan Vec<u32>>,
    ) -> impl Iterator<Item = &'scan ProcessInfo> {
        pids.into_iter().flatten().filter_map(|pid| self.at(*pid))
    }

    /// It lives where banger's guests live.
    pub fn is_ours(&self, seen: &ProcessInfo) -> bool {
        groups::is_ours(&self.root, &seen.control_group)
    }

    /// The VM's scope that it lives in.
    pub fn scope_of<'seen>(&self, seen: &'seen ProcessInfo) -> Option<&'seen str> {
        groups::scope_of(&self.root, &seen.control_group)
    }
}

/// What was looked at, as if it were all there is.
impl Processes for Scan {
    fn pids(&self) -> io::Result<Vec<u32>> {
        Ok(self.by_pid.keys().copied().collect())
    }

    fn see(&self, pid: u32) -> io::Result<Option<ProcessInfo>> {
        Ok(self.at(pid).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{FakeProcesses, firecracker};
    use super::*;

    const UID: u32 = 7_000;

    fn scan(processes: &FakeProcesses, recorded: &[u32]) -> Scan {
        let recorded = recorded.iter().copied().collect();
        Scan::take(processes, &recorded, &|uid| uid == UID).unwrap()
    }

    #[test]
    fn of_what_others_run_nothing_but_the_uid_is_read() {
        let mut all: Vec<ProcessInfo> = (300..600)
            .map(|pid| firecracker(pid, 1, 1000, "x"))
            .collect();
        all.push(firecracker(700, 1, UID, "aa"));
        let mut jailer = firecracker(701, 1, 0, "bb");
        jailer.comm = "jailer".into();
        all.push(jailer);
        let processes = FakeProcesses::of(all);
        let scan = scan(&processes, &[]);
        assert_eq!(*processes.looked_at.lock().unwrap(), [700, 701]);
        assert!(scan.at(300).is_none() && scan.with_uid(UID).count() == 1);
        assert_eq!(scan.named("bb").next().unwrap().pid, 701);
    }

    #[test]
    fn at_a_recorded_number_the_arguments_of_a_foreign_process_are_not_read() {
        let processes = FakeProcesses::of(vec![firecracker(300, 1, 1000, "x")]);
        let scan = scan(&processes, &[300]);
        assert!(scan.at(300).unwrap().command_line.is_empty());
    }

    #[test]
    fn one_that_cannot_be_read_hides_no_other_and_is_told() {
        let mut processes = FakeProcesses::of(vec![
            firecracker(300, 1, UID, "aa"),
            firecracker(301, 1, UID, "bb"),
            firecracker(302, 1, 1000, "cc"),
        ]);
        processes.unreadable = [300, 302].into();
        let scan = scan(&processes, &[300]);
        assert!(scan.unreadable(300).is_some() && scan.at(301).is_some());
        assert!(
            scan.unreadable(302).is_none(),
            "another process is nobody's doubt"
        );
    }

    #[test]
    fn a_recorded_process_that_is_not_listed_is_asked_for() {
        let mut processes = FakeProcesses::of(vec![firecracker(300, 1, UID, "aa")]);
        processes.unlisted = [300].into();
        assert!(scan(&processes, &[]).at(300).is_none());
        assert!(scan(&processes, &[300]).at(300).is_some());
    }
}
