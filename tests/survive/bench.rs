//! The bench itself.

use std::process::{Child, Command, Stdio};

use banger_tests::support::host::Host;
use banger_tests::support::{Result, command, console, guest, process};

/// A guest under the bare jailer, with nothing of banger around it.
fn bare_guest(host: &Host) -> Result<Child> {
    host.copy(&guest::ticker()?, "/srv/jail/firecracker/bare/root/kernel")?;
    host.write(
        "/srv/jail/firecracker/bare/root/config.json",
        r#"{"boot-source": {"kernel_image_path": "/kernel"}, "drives": [],
            "machine-config": {"vcpu_count": 1, "mem_size_mib": 128}}"#,
    )?;
    let line = "exec jailer --id bare --exec-file /usr/local/bin/firecracker --uid 1234 --gid 1234 \
                --chroot-base-dir /srv/jail --cgroup-version 2 --new-pid-ns -- \
                --no-api --config-file /config.json >/var/log/bare.log 2>&1";
    let mut command = host.command(["/bin/sh", "-c", line]);
    command.stdin(Stdio::null());
    Ok(command.spawn()?)
}

#[test]
fn a_host_runs_and_a_user_lives_in_it() {
    let host = Host::new().user("alice").build().unwrap();
    let state = host
        .run(["systemctl", "is-system-running"])
        .unwrap()
        .ok()
        .unwrap();
    assert_eq!(state, "running");
    let who = host
        .run_as("alice", ["/bin/sh", "-c", "id -un; echo $HOME"])
        .unwrap();
    assert_eq!(who.ok().unwrap(), "alice\n/home/alice");
    let loopback = host
        .shell("ip -brief address show lo")
        .unwrap()
        .ok()
        .unwrap();
    assert!(loopback.contains("127.0.0.1/8"), "{loopback}");
    let first = host
        .run(["readlink", "/proc/1/ns/net"])
        .unwrap()
        .ok()
        .unwrap();
    let here = std::fs::read_link("/proc/self/ns/net").unwrap();
    assert_ne!(
        first,
        here.to_string_lossy(),
        "the host must have a network of its own"
    );
}

#[test]
fn a_guest_ticks_under_the_bare_jailer() {
    let host = Host::new().build().unwrap();
    let mut jailer = bare_guest(&host).unwrap();
    let log = host.path("/var/log/bare.log");
    command::wait_for("the guest's log", 10, || {
        if log.exists() {
            Ok(())
        } else {
            Err("no log".to_owned())
        }
    })
    .unwrap();
    let before = console::wait_for_ticks(&log, 1).unwrap();
    let after = console::wait_for_ticks(&log, 10).unwrap();
    assert_eq!(before.nonce, after.nonce);
    assert_eq!((before.first, after.first), (1, 1));
    drop(host);
    jailer.wait().unwrap();
}

#[test]
fn two_hosts_at_once_share_nothing_and_leave_nothing() {
    let one = Host::new().build().unwrap();
    let two = Host::new().build().unwrap();
    assert_ne!(one.name(), two.name());
    one.write("/etc/only-here", "1").unwrap();
    assert!(!two.path("/etc/only-here").exists());
    let leaders = [one.leader(), two.leader()].map(|pid| process::identify(pid).unwrap().unwrap());
    let roots = [one.path("/"), two.path("/")];
    drop(one);
    let state = two
        .run(["systemctl", "is-system-running"])
        .unwrap()
        .ok()
        .unwrap();
    assert_eq!(
        state, "running",
        "the end of one host must not touch another"
    );
    drop(two);
    for leader in leaders {
        assert_ne!(process::identify(leader.pid).unwrap(), Some(leader));
    }
    for root in roots {
        assert!(!root.exists(), "{} is left", root.display());
    }
}

/// The host of a program that was killed. A test runs itself anew as that program: it is told by a
/// variable to make a host, to say its name and to be killed.
#[test]
fn the_host_of_a_killed_run_goes_when_the_next_is_made() {
    const ROLE: &str = "BANGER_TEST_ABANDON_A_HOST";
    if std::env::var_os(ROLE).is_some() {
        let host = Host::new().build().unwrap();
        println!("\nhost {} {}", host.leader(), host.path("/").display());
        loop {
            std::thread::park();
        }
    }
    let mut run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("bench::the_host_of_a_killed_run_goes_when_the_next_is_made")
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(run.stdout.take().unwrap());
    let line = std::io::BufRead::lines(output)
        .map_while(std::io::Result::ok)
        .find_map(|line| line.strip_prefix("host ").map(str::to_owned))
        .unwrap();
    let (leader, root) = line.split_once(' ').unwrap();
    let leader = process::identify(leader.parse().unwrap()).unwrap().unwrap();
    let root = std::path::Path::new(root);
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(root.exists());
    assert_eq!(
        process::identify(leader.pid).unwrap(),
        Some(leader),
        "the leftover must still run"
    );

    let next = Host::new().build().unwrap();
    assert_ne!(process::identify(leader.pid).unwrap(), Some(leader));
    assert!(!root.exists());
    drop(next);
}
