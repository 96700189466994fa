//! How a VM's process is found by its API socket (docs/contract.md, "Finding a VM's process").
//!
//! The rule is the floor, not the proof: see [`crate::reconcile`] for what a process must show
//! before anything is done to it.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Processes;

/// The program's name as its process must show it.
const FIRECRACKER: &str = "firecracker";
/// The option that names the API socket on Firecracker's command line.
const API_SOCKET_OPTION: &str = "--api-sock";
/// The longest pidfile that is read; the jailer writes at most 10 digits.
const LONGEST_PIDFILE: u64 = 64;

/// How a process was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Its command line names the socket: Firecracker without a jailer.
    ByCommandLine(u32),
    /// The jailer's pidfile names it, and its `comm` is `firecracker`.
    ByPidfile(u32),
}

/// Why none was found.
#[derive(Debug, thiserror::Error)]
pub enum Miss {
    /// The socket is no symbolic link, so there is no jail to look in.
    #[error("{0} is no symbolic link")]
    NoLink(PathBuf),
    /// The jail holds no pidfile.
    #[error("there is no {0}")]
    NoPidfile(PathBuf),
    /// The pidfile holds no process id.
    #[error("{path} holds {text:?}, no process id")]
    Garbage {
        /// The pidfile.
        path: PathBuf,
        /// What it holds.
        text: String,
    },
    /// No such process.
    #[error("there is no process {0}")]
    NoProcess(u32),
    /// The process is another program.
    #[error("process {pid} is {comm}, not {FIRECRACKER}")]
    OtherProgram {
        /// The number in the pidfile.
        pid: u32,
        /// What runs under that number.
        comm: String,
    },
    /// Something could not be read; nothing follows from that.
    #[error("cannot look for the process")]
    Unreadable(#[source] io::Error),
}

/// Finds the process behind the API socket at `socket`, as the host sees it.
///
/// # Errors
/// [`Miss`].
pub fn find_by_api_socket(processes: &dyn Processes, socket: &Path) -> Result<Found, Miss> {
    for pid in processes.pids().map_err(Miss::Unreadable)? {
        // a process that cannot be read is no reason to stop looking for another
        let Ok(Some(seen)) = processes.see(pid) else {
            continue;
        };
        if seen.option(API_SOCKET_OPTION) == Some(socket.as_os_str()) && !seen.exited {
            return Ok(Found::ByCommandLine(pid));
        }
    }
    let pid = read_pidfile(&pidfile_of(socket)?)?;
    match processes.see(pid).map_err(Miss::Unreadable)? {
        Some(seen) if seen.exited => Err(Miss::NoProcess(pid)),
        Some(seen) if seen.comm == FIRECRACKER => Ok(Found::ByPidfile(pid)),
        Some(seen) => Err(Miss::OtherProgram {
            pid,
            comm: seen.comm,
        }),
        None => Err(Miss::NoProcess(pid)),
    }
}

/// `<chroot>/firecracker.pid`, the sibling of what the host's link points at.
fn pidfile_of(socket: &Path) -> Result<PathBuf, Miss> {
    let target = fs_err::read_link(socket).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::NotFound => Miss::NoLink(socket.into()),
        _ => Miss::Unreadable(error),
    })?;
    let beside = socket.parent().unwrap_or(Path::new("/"));
    Ok(beside.join(target).with_file_name("firecracker.pid"))
}

/// The folder is the VM's own: the file may be a link, a FIFO or endless.
fn read_pidfile(path: &Path) -> Result<u32, Miss> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Miss::NoPidfile(path.into()),
        _ => Miss::Unreadable(error),
    })?;
    let mut bytes = Vec::new();
    let garbage = |text: String| Miss::Garbage {
        path: path.into(),
        text,
    };
    if !file.metadata().map_err(Miss::Unreadable)?.is_file() {
        return Err(garbage("no regular file".into()));
    }
    file.take(LONGEST_PIDFILE)
        .read_to_end(&mut bytes)
        .map_err(Miss::Unreadable)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match text.trim().parse::<u32>() {
        Ok(pid) if pid > 0 && i32::try_from(pid).is_ok() => Ok(pid),
        _ => Err(garbage(text)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::fake::{FakeProcesses, firecracker};
    use super::*;

    /// A jail with a pidfile that holds `pidfile`, and the host's link to its socket.
    struct Jail {
        folder: tempfile::TempDir,
        processes: FakeProcesses,
    }

    impl Jail {
        fn with(pidfile: Option<&str>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("root");
            std::fs::create_dir(&root).unwrap();
            if let Some(text) = pidfile {
                std::fs::write(root.join("firecracker.pid"), text).unwrap();
            }
            symlink(
                root.join("firecracker.socket"),
                folder.path().join("vm.sock"),
            )
            .unwrap();
            let mut other = firecracker(5000, 9, 0, "x");
            other.comm = "nginx".into();
            let processes = FakeProcesses::of(vec![firecracker(4121, 7, 600_000, "aa"), other]);
            Self { folder, processes }
        }

        fn socket(&self) -> PathBuf {
            self.folder.path().join("vm.sock")
        }

        fn find(&self) -> Result<Found, Miss> {
            find_by_api_socket(&self.processes, &self.socket())
        }
    }

    #[test]
    fn a_command_line_that_names_the_socket_wins() {
        let mut jail = Jail::with(Some("4121"));
        let mut unjailed = firecracker(6000, 8, 1000, "bb");
        unjailed.command_line = vec![
            "firecracker".into(),
            "--api-sock".into(),
            jail.socket().into(),
        ];
        jail.processes.list.push(unjailed);
        assert_eq!(jail.find().unwrap(), Found::ByCommandLine(6000));
    }

    #[test]
    fn a_client_of_the_socket_is_not_its_vm() {
        let mut jail = Jail::with(Some("4121"));
        let mut client = firecracker(6000, 8, 1000, "bb");
        client.command_line = vec!["curl".into(), "--unix-socket".into(), jail.socket().into()];
        jail.processes.list.push(client);
        assert_eq!(jail.find().unwrap(), Found::ByPidfile(4121));
    }

    #[test]
    fn a_good_pidfile_names_the_process() {
        assert_eq!(
            Jail::with(Some("4121")).find().unwrap(),
            Found::ByPidfile(4121)
        );
    }

    #[test]
    fn white_space_around_the_pid_is_ignored() {
        let jail = Jail::with(Some(" \t4121 \n\n"));
        assert_eq!(jail.find().unwrap(), Found::ByPidfile(4121));
    }

    #[test]
    fn a_relative_link_is_resolved_from_its_own_folder() {
        let jail = Jail::with(Some("4121"));
        std::fs::remove_file(jail.socket()).unwrap();
        symlink("root/firecracker.socket", jail.socket()).unwrap();
        assert_eq!(jail.find().unwrap(), Found::ByPidfile(4121));
    }

    #[test]
    fn without_a_pidfile_there_is_no_process() {
        assert!(matches!(Jail::with(None).find(), Err(Miss::NoPidfile(_))));
    }

    #[test]
    fn a_pid_that_no_longer_exists_is_no_process() {
        let jail = Jail::with(Some("4999"));
        assert!(matches!(jail.find(), Err(Miss::NoProcess(4999))));
    }

    #[test]
    fn a_live_pid_with_another_comm_is_refused() {
        match Jail::with(Some("5000")).find() {
            Err(Miss::OtherProgram { pid: 5000, comm }) => assert_eq!(comm, "nginx"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_process_that_has_exited_is_no_process() {
        let mut jail = Jail::with(Some("4121"));
        for seen in &mut jail.processes.list {
            seen.exited = true;
        }
        assert!(matches!(jail.find(), Err(Miss::NoProcess(4121))));
    }

    #[test]
    fn garbage_in_the_pidfile_is_refused() {
        let endless = "1".repeat(10_000);
        for text in [
            "",
            " ",
            "abc",
            "41 21",
            "-4121",
            "+",
            "0",
            "4121\0",
            "4121x",
            "99999999999999999999",
            "4294967295",
            "2147483648",
            &endless,
        ] {
            let found = Jail::with(Some(text)).find();
            assert!(
                matches!(found, Err(Miss::Garbage { .. })),
                "{text:?}: {found:?}"
            );
        }
    }

    #[test]
    fn a_socket_that_is_no_symlink_leads_to_no_process() {
        let jail = Jail::with(Some("4121"));
        std::fs::remove_file(jail.socket()).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(jail.socket()).unwrap();
        assert!(matches!(jail.find(), Err(Miss::NoLink(_))));
    }

    #[test]
    fn a_pidfile_that_is_a_link_is_not_followed() {
        let jail = Jail::with(None);
        let elsewhere = jail.folder.path().join("elsewhere");
        std::fs::write(&elsewhere, "4121").unwrap();
        symlink(elsewhere, jail.folder.path().join("root/firecracker.pid")).unwrap();
        assert!(matches!(jail.find(), Err(Miss::Unreadable(_))));
    }
}
