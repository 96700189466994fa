//! What a run does to the machine, as the kernel saw it: a second install writes nothing, and systemd
//! is spoken to over D-Bus, never through a program.

use banger_tests::support::releases::Releases;
use banger_tests::support::stage::{OWNER, Stage};

const TRACES: &str = "/root/traces";

/// Every call that can change a file system or what is in it (syscalls(2)). `open` and `write` are
/// looked at more closely: most of them change nothing.
const MUTATING: &str = "open,openat,openat2,creat,truncate,ftruncate,fallocate,write,pwrite64,writev,\
    pwritev,pwritev2,sendfile,copy_file_range,splice,rename,renameat,renameat2,link,linkat,symlink,\
    symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,mknod,mknodat,chmod,fchmod,fchmodat,chown,fchown,\
    lchown,fchownat,utime,utimes,utimensat,futimesat,setxattr,lsetxattr,fsetxattr,removexattr,\
    lremovexattr,fremovexattr,mount,umount2,pivot_root";

/// Runs a line under strace and gives the calls of all its processes, those that failed left out.
fn traced(stage: &Stage, calls: &str, line: &str) -> Vec<String> {
    let under = format!(
        "rm -rf {TRACES}; mkdir {TRACES}; \
         strace -ff --seccomp-bpf -y -s 300 -o {TRACES}/t -e signal=none -e trace={calls} -- {line}"
    );
    let output = stage.host.shell(&under).unwrap();
    output.exited(0).unwrap();
    let all = stage.host.shell(&format!("cat {TRACES}/t.*")).unwrap();
    let all = all.ok().unwrap();
    assert!(all.contains("+++ exited with 0 +++"), "{all}");
    all.lines()
        .filter(|call| !call.contains(" = -1 E") && !call.starts_with("+++"))
        .map(str::to_owned)
        .collect()
}

/// A call that changes something that another process, or a later one, could see.
fn mutates(call: &str) -> bool {
    if call.starts_with("open") {
        return ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_TMPFILE"]
            .iter()
            .any(|flag| call.contains(flag));
    }
    if call.contains("write") || call.starts_with("sendfile") || call.starts_with("splice") {
        // what goes to a socket, a pipe (the standard output is one here) or an event counter
        return !["<socket:[", "<UNIX", "<pipe:[", "<anon_inode:"]
            .iter()
            .any(|other| call.contains(other));
    }
    true
}

#[test]
fn a_second_install_makes_no_call_that_changes_anything() {
    let releases = Releases::new().unwrap();
    let first = releases.sound("0.1.0").unwrap();
    let stage = Stage::new(releases).unwrap();
    let unpacked = stage.unpack(&first).unwrap();
    let install = format!("{unpacked}/bin/banger system install --owner {OWNER}");
    // the first one shows that the sieve holds something back
    let first = traced(&stage, MUTATING, &install);
    let done = first.iter().filter(|call| mutates(call)).count();
    assert!(done > 50, "only {done} calls of an install were seen");

    let second = traced(&stage, MUTATING, &install);
    let changes: Vec<&String> = second.iter().filter(|call| mutates(call)).collect();
    assert!(changes.is_empty(), "{changes:#?}");
    println!("{done} calls of an install changed something, and none of the second one's");
}

#[test]
fn systemd_is_spoken_to_over_d_bus_and_no_program_is_run_but_the_releases_own() {
    let releases = Releases::new().unwrap();
    let first = releases.sound("0.1.0").unwrap();
    let second = releases.sound("0.1.1").unwrap();
    releases.publish(&second).unwrap();
    let stage = Stage::new(releases).unwrap();
    let unpacked = stage.unpack(&first).unwrap();
    let install = format!("{unpacked}/bin/banger system install --owner {OWNER}");
    let commands = [
        install.clone(),
        install,
        "/usr/local/bin/banger system status".to_owned(),
        "/usr/local/bin/banger system restart".to_owned(),
        "/usr/local/bin/banger update --yes".to_owned(),
        "/usr/local/bin/banger update --rollback --yes".to_owned(),
        "/usr/local/bin/banger system uninstall --purge --yes".to_owned(),
    ];
    let mut programs = 0;
    for command in &commands {
        let calls = traced(&stage, "execve,execveat,connect", command);
        let (runs, dials): (Vec<&String>, Vec<&String>) =
            calls.iter().partition(|call| call.starts_with("exec"));
        let (itself, others) = runs.split_first().unwrap();
        assert!(itself.contains("banger"), "{itself}");
        for run in others {
            // itself once more, with a known environment
            if run.starts_with("execve(\"/proc/self/exe\"") {
                assert!(run.contains("banger\", \""), "{command} became {run}");
                continue;
            }
            programs += 1;
            // a release's programs are asked for their version and what they make of the state, and one of
            // them to carry it out
            let own = run.starts_with("execve(\"/usr/local/lib/banger/");
            let questions = ["--version", "--check-state", "system\", \"carry-out"];
            let asked = questions.map(|words| run.contains(&format!("\"{words}\"")));
            assert!(own && asked.contains(&true), "{command} ran {run}");
        }
        let bus = "/run/dbus/system_bus_socket";
        assert!(
            dials.iter().any(|call| call.contains(bus)),
            "{command}: {dials:?}"
        );
        for call in dials {
            assert!(!call.contains("systemd"), "{command}: {call}");
        }
    }
    println!(
        "{} commands ran {programs} programs, all of a release",
        commands.len()
    );
    assert!(programs >= 4, "only {programs} were seen");
}
