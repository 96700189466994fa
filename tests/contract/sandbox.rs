//! The sandboxes of the services as a real systemd makes them: what they keep out, what they let
//! through, and what a guest inherits.

use banger_tests::support::releases::Releases;
use banger_tests::support::stage::{OWNER, Stage};
use banger_tests::support::{Host, place};

const UNITS: [&str; 4] = [
    "bangerd-root.socket",
    "bangerd.socket",
    "bangerd-root.service",
    "bangerd.service",
];

/// Runs a line of shell where a service sees the file system, as root with every capability.
fn beside(stage: &Stage, unit: &str, line: &str) -> banger_tests::support::command::Output {
    let pid = stage.host.property(unit, "MainPID").unwrap();
    let target = format!("--target={pid}");
    let words = ["nsenter", &target, "--mount", "/bin/sh", "-c", line];
    stage.host.run(words).unwrap()
}

#[test]
fn no_start_limit_is_in_force_after_an_install() {
    let stage = Stage::installed("0.1.0").unwrap();
    for unit in UNITS {
        let limit = || stage.host.property(unit, "StartLimitIntervalUSec").unwrap();
        assert_eq!(limit(), "0", "{unit}");
    }
    for unit in &UNITS[..2] {
        let limit = stage.host.property(unit, "TriggerLimitIntervalUSec");
        assert_eq!(limit.unwrap(), "0", "{unit}");
    }
    // systemd's own limit is five starts in ten seconds
    for _ in 0..8 {
        let line = format!("systemctl restart {}", UNITS.join(" "));
        stage.host.shell(&line).unwrap().ok().unwrap();
    }
    assert!(stage.vms().unwrap().is_empty());
}

#[test]
fn each_socket_lets_the_owner_in_and_nobody_else() {
    let host = Host::new().user(OWNER).user("bob").build().unwrap();
    let stage = Stage::installed_on(host, "0.1.0").unwrap();
    let check = || {
        for socket in [
            "/run/banger/bangerd.sock",
            "/run/banger-root/bangerd-root.sock",
        ] {
            let may = |user| stage.host.run_as(user, ["test", "-w", socket]).unwrap();
            assert!(may(OWNER).success(), "{OWNER} cannot write to {socket}");
            assert!(!may("bob").success(), "bob can write to {socket}");
        }
        let folder = ["stat", "-c", "%U %a", "/run/banger", "/run/banger-root"];
        let folders = stage.host.run(folder).unwrap().ok().unwrap();
        assert_eq!(folders, "alice 700\nroot 711");
    };
    check();
    // as at a boot: the sockets are there before any daemon has made a folder
    let line = "systemctl stop bangerd.service bangerd-root.service bangerd.socket \
                bangerd-root.socket && rm -r /run/banger /run/banger-root && \
                systemctl start bangerd-root.socket bangerd.socket";
    stage.host.shell(line).unwrap().ok().unwrap();
    let daemon = stage.host.property("bangerd.service", "ActiveState");
    assert_eq!(daemon.unwrap(), "inactive");
    check();
}

#[test]
fn a_helper_in_its_sandbox_changes_no_more_than_it_must() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    let id = stage.vm("web").unwrap().id;
    let helper = "bangerd-root.service";
    for closed in [
        "touch /usr/local/bin/x",
        "touch /etc/x",
        "ls /home/alice",
        "head -c 1 /dev/kmsg",
    ] {
        let tried = beside(&stage, helper, closed);
        assert!(!tried.success(), "{closed}: {}", tried.text());
    }
    // what ends a VM for good
    let kill = format!("/sys/fs/cgroup/banger.slice/banger-vm-{id}.scope/cgroup.kill");
    let open = format!("touch /var/lib/banger-root/x /var/lib/banger/x && test -w {kill}");
    let opened = beside(&stage, helper, &open);
    assert!(opened.success(), "{}", opened.text());

    // guests are told apart by it, in the helper and in what updates
    let boot_id = "cat /proc/sys/kernel/random/boot_id";
    let of_host = stage.host.shell(boot_id).unwrap().ok().unwrap();
    assert_eq!(beside(&stage, helper, boot_id).ok().unwrap(), of_host);

    let show = |property: &str| stage.host.property(helper, property).unwrap();
    assert_eq!(show("MemoryMax"), (512_u64 << 20).to_string());
    assert_eq!(show("LimitNOFILE"), "65536");
    assert_eq!(show("DevicePolicy"), "closed");
    assert!(show("IPAddressDeny").contains("0.0.0.0/0"));

    // and the guest holds what it inherited, after a restart as before
    stage.banger(&["system", "restart"]).unwrap().ok().unwrap();
    stage.check_untouched(&guest).unwrap();
    let status = format!("/proc/{}/status", guest.pid);
    let status = stage.host.run(["cat", &status]).unwrap().ok().unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().to_owned()
    };
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("Seccomp:"), "2");
    assert_eq!(field("CapEff:"), "0000000000000000");
    let limits = format!("grep 'Max core file size' /proc/{}/limits", guest.pid);
    let limits = stage.host.shell(&limits).unwrap().ok().unwrap();
    let core: Vec<&str> = limits.split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
}

/// A host that did not enforce these would pass over them, and every guest would start whatever the
/// unit says.
#[test]
fn a_host_of_the_bench_enforces_device_policies_and_address_filters() {
    let stage = Stage::installed("0.1.0").unwrap();
    let run = |properties: &[&str], line: &str| {
        let mut words = vec!["systemd-run", "--wait", "--quiet"];
        for property in properties {
            words.extend(["-p", property]);
        }
        words.extend(["/bin/bash", "-c", line]);
        stage.host.run(words).unwrap()
    };
    let kvm = "exec 3<>/dev/kvm";
    assert!(run(&[], kvm).success());
    assert!(
        run(
            &["DevicePolicy=closed", "DeviceAllow=/dev/char/10:232 rw"],
            kvm
        )
        .success()
    );
    assert!(!run(&["DevicePolicy=closed"], kvm).success());
    // what is filtered is dropped, so the attempt is given up when nothing has come of it
    let connect = "timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8443'";
    assert!(run(&[], connect).success());
    assert!(!run(&["IPAddressDeny=any"], connect).success());
}

/// Units as they were before services were kept from what they do not need.
const FORMER_UNITS: &str = "tests/contract/former-units";

#[test]
fn a_guest_of_the_former_units_lives_on_and_new_ones_get_the_new_sandbox() {
    let releases = Releases::new().unwrap();
    let units = place::workspace().join(FORMER_UNITS);
    let former = releases.with_units("0.1.0", units).unwrap();
    let second = releases.sound("0.1.1").unwrap();
    let stage = Stage::new(releases).unwrap();
    stage.install(&former).unwrap().ok().unwrap();
    let show = |property: &str| {
        let helper = "bangerd-root.service";
        stage.host.property(helper, property).unwrap()
    };
    assert_eq!(show("DevicePolicy"), "auto", "not the former units");
    let guest = stage.run_guest("web").unwrap();
    let sockets =
        "stat -c '%i %u %g %a' /run/banger/bangerd.sock /run/banger-root/bangerd-root.sock";
    let sockets = || stage.host.shell(sockets).unwrap().ok().unwrap();
    let before = sockets();
    let filters = |pid: u32| -> u32 {
        let line = format!("sed -n 's/^Seccomp_filters:\\t//p' /proc/{pid}/status");
        let count = stage.host.shell(&line).unwrap().ok().unwrap();
        count.parse().unwrap()
    };
    let few = filters(guest.pid);

    stage.releases.publish(&second).unwrap();
    let update = stage.banger(&["update", "--yes"]).unwrap();
    update.exited(0).unwrap();
    // by its name, in what the update told: it was known to be the same
    assert!(update.stdout.contains("web"), "{}", update.text());
    stage.check_untouched(&guest).unwrap();
    assert_eq!(show("DevicePolicy"), "closed");
    assert_eq!(filters(guest.pid), few);
    assert_eq!(sockets(), before, "a socket was made anew");
    let second = stage.run_guest("db").unwrap();
    assert!(filters(second.pid) > few);

    // the sockets follow when somebody restarts them, and the guests do not notice
    let line = "systemctl restart bangerd-root.socket bangerd.socket";
    stage.host.shell(line).unwrap().ok().unwrap();
    assert_ne!(sockets(), before);
    for guest in [&guest, &second] {
        stage.check_untouched(guest).unwrap();
        let words = ["vm", "stop", &guest.name];
        stage.banger_as_owner(&words).unwrap().ok().unwrap();
    }
}
