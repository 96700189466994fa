//! A VM's life: what its process may take of the host, how its end is told, and that nothing is left.

use banger_tests::support::command;
use banger_tests::support::guest;
use banger_tests::support::stage::{Guest, Stage, Vm};

const KERNEL: &str = "/home/alice/ticker.elf";
const DISK: &str = "/home/alice/disk.img";

fn shell(stage: &Stage, line: &str) -> String {
    stage.host.shell(line).unwrap().ok().unwrap()
}

fn as_owner(stage: &Stage, words: &[&str]) -> String {
    stage.banger_as_owner(words).unwrap().ok().unwrap()
}

/// The cause of a VM's end as `vm list --json` has it.
fn cause(stage: &Stage, name: &str) -> serde_json::Value {
    let list = as_owner(stage, &["vm", "list", "--json"]);
    let vms: serde_json::Value = serde_json::from_str(&list).unwrap();
    let vms = vms.as_array().unwrap();
    let vm = vms.iter().find(|vm| vm["name"] == name).unwrap();
    vm["ended"].clone()
}

fn wait_for_state(stage: &Stage, name: &str, wanted: &str) -> Vm {
    command::wait_for(&format!("{name} to be {wanted}"), 30, || {
        let vm = stage.vm(name).map_err(|error| error.to_string())?;
        if vm.state == wanted {
            Ok(vm)
        } else {
            Err(vm.state)
        }
    })
    .unwrap()
}

/// What a namespace is called: the target of the link, which the kernel makes of its inode.
fn network_of(stage: &Stage, pid: u32) -> String {
    let outer = stage.host.outer_pid(pid).unwrap();
    let link = fs_err::read_link(format!("/proc/{outer}/ns/net")).unwrap();
    link.to_string_lossy().into_owned()
}

fn scope_of(stage: &Stage, guest: &Guest) -> String {
    format!("banger-vm-{}.scope", stage.vm(&guest.name).unwrap().id)
}

/// What a start makes and a delete, or a start that fails, takes away again.
fn left_of_vms(stage: &Stage) -> String {
    shell(
        stage,
        "ls -A /var/lib/banger-root/jail/firecracker; ls /run/banger-root | grep -v 'bangerd'; \
         systemctl list-units --all --no-legend 'banger-vm-*'; \
         cat /proc/[0-9]*/comm | grep -x -e firecracker -e jailer -e exe; true",
    )
}

#[test]
fn each_vm_has_its_own_network_and_bounds_on_what_it_takes_of_the_host() {
    let stage = Stage::installed("0.1.0").unwrap();
    let (web, db) = (
        stage.run_guest("web").unwrap(),
        stage.run_guest("db").unwrap(),
    );
    let networks = [
        network_of(&stage, 1),
        network_of(&stage, web.pid),
        network_of(&stage, db.pid),
    ];
    assert_ne!(networks[0], networks[1]);
    assert_ne!(networks[0], networks[2]);
    assert_ne!(networks[1], networks[2]);

    let scope = scope_of(&stage, &web);
    for (property, expected) in [
        // 128 MiB for the guest, which is what it gets unasked, and 128 for its Firecracker
        ("MemoryMax", "268435456"),
        ("TasksMax", "17"),
        ("CPUQuotaPerSecUSec", "1s"),
        ("Slice", "banger.slice"),
    ] {
        let found = stage.host.property(&scope, property).unwrap();
        assert_eq!(found, expected, "{property}");
    }
    let limits = shell(&stage, &format!("cat /proc/{}/limits", web.pid));
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let words = line.strip_prefix(name).unwrap().split_whitespace();
        words.take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(limit("Max file size"), ["1073741824", "1073741824"]);
    assert_eq!(limit("Max open files"), ["512", "512"]);

    // nothing of a new process is left behind, and a helper that is started anew finds both again
    shell(&stage, "systemctl restart bangerd-root.service");
    stage.check_untouched(&web).unwrap();
    stage.check_untouched(&db).unwrap();
    assert_eq!(network_of(&stage, web.pid), networks[1]);
}

#[test]
fn a_vmm_that_was_taken_over_can_make_no_file_in_its_jail() {
    let stage = Stage::installed("0.1.0").unwrap();
    stage.run_guest("web").unwrap();
    let id = stage.vm("web").unwrap().id;
    let root = format!("/var/lib/banger-root/jail/firecracker/{id}/root");
    let owned = shell(
        &stage,
        &format!("find {root} -type d ! -uid 0; find {root} -type d -perm /022"),
    );
    assert_eq!(owned, "");
    // what it only reads is not its own either
    let writable = shell(
        &stage,
        &format!("find {root} -type f ! -uid 0 -printf '%f\n' | sort"),
    );
    assert!(
        !writable.contains("kernel") && !writable.contains("config"),
        "{writable}"
    );
    let uid = shell(&stage, &format!("stat --format=%u {root}/firecracker.log"));
    for act in [
        "touch x",
        "mkdir x",
        "touch dev/x",
        "rm firecracker.log",
        "mv kernel k",
    ] {
        let line = format!("cd {root} && setpriv --reuid={uid} --regid={uid} --clear-groups {act}");
        let tried = stage.host.shell(&line).unwrap();
        assert!(!tried.success(), "{act}: {}", tried.text());
    }
    for words in [["vm", "stop", "web"], ["vm", "delete", "web"]] {
        as_owner(&stage, &words);
    }
    assert_eq!(left_of_vms(&stage), "");
}

#[test]
fn the_end_of_a_guest_is_told_with_who_asked_for_it() {
    let stage = Stage::installed("0.1.0").unwrap();
    // asked for
    stage.run_guest("asked").unwrap();
    as_owner(&stage, &["vm", "stop", "asked"]);
    assert_eq!(cause(&stage, "asked"), "asked");
    // killed by somebody else
    let killed = stage.run_guest("killed").unwrap();
    shell(&stage, &format!("kill -KILL {}", killed.pid));
    wait_for_state(&stage, "killed", "failed");
    assert_eq!(cause(&stage, "killed"), "unexplained");
    // shut down by itself after 2 s, while the helper that started it looks on
    let short = guest::ticker_with("LAST_TICK=40").unwrap();
    let place = "/home/alice/short.elf";
    stage.host.copy(&short, place).unwrap();
    as_owner(&stage, &["vm", "run", "short", "--kernel", place]);
    wait_for_state(&stage, "short", "stopped");
    assert_eq!(cause(&stage, "short"), "guest");
    // the same while no helper runs: the next one finds it gone
    as_owner(&stage, &["vm", "run", "alone", "--kernel", place]);
    let alone = stage.vm("alone").unwrap().pid.unwrap();
    let down = format!(
        "systemctl stop bangerd.socket bangerd-root.socket bangerd.service bangerd-root.service && \
         while test -e /proc/{alone}; do sleep 0.1; done && \
         systemctl start bangerd-root.socket bangerd.socket"
    );
    shell(&stage, &down);
    let vm = stage.vm("alone").unwrap();
    assert_eq!((vm.state.as_str(), vm.pid), ("stopped", None), "{vm:?}");
    assert_eq!(cause(&stage, "alone"), "guest");
    // a helper that adopted a guest stops it as asked
    stage.run_guest("adopted").unwrap();
    shell(&stage, "systemctl restart bangerd-root.service");
    as_owner(&stage, &["vm", "stop", "adopted"]);
    assert_eq!(cause(&stage, "adopted"), "asked");

    // and a delete does not lose it
    for (name, expected) in [
        ("asked", "asked"),
        ("killed", "unexplained"),
        ("short", "guest"),
    ] {
        let id = stage.vm(name).unwrap().id;
        as_owner(&stage, &["vm", "delete", name]);
        let ending = shell(
            &stage,
            &format!("cat /var/lib/banger-root/endings/{id}.json"),
        );
        let ending: serde_json::Value = serde_json::from_str(&ending).unwrap();
        assert_eq!(
            (&ending["cause"], &ending["schema"]),
            (&expected.into(), &1.into())
        );
    }
}

#[test]
fn stop_ends_what_a_taken_over_vmm_had_forked() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    let id = stage.vm("web").unwrap().id;
    let group = format!("/sys/fs/cgroup/banger.slice/banger-vm-{id}.scope");
    // a process of the VM's uid in its scope, as a fork of its Firecracker would be
    let uid = shell(&stage, &format!("stat --format=%u /proc/{}", guest.pid));
    let fork = format!(
        "sh -c 'echo $$ > {group}/cgroup.procs && exec setsid setpriv --reuid={uid} \
         --regid={uid} --clear-groups sleep 1000' >/dev/null 2>&1 & echo $!"
    );
    let child = shell(&stage, &fork);
    command::wait_for("the fork to be in the scope", 10, || {
        let found = shell(&stage, &format!("cat {group}/cgroup.procs"));
        if found.lines().any(|line| line == child) {
            Ok(())
        } else {
            Err(found)
        }
    })
    .unwrap();
    as_owner(&stage, &["vm", "stop", "web"]);
    let left = shell(
        &stage,
        &format!("cat {group}/cgroup.procs 2>/dev/null; true"),
    );
    assert_eq!(left, "");
    as_owner(&stage, &["vm", "delete", "web"]);
    assert_eq!(left_of_vms(&stage), "");
}

#[test]
fn a_vm_without_a_scope_does_not_start_and_leaves_nothing() {
    let stage = Stage::installed("0.1.0").unwrap();
    stage.run_guest("before").unwrap();
    let before = left_of_vms(&stage);
    shell(&stage, "mv /run/dbus/system_bus_socket /run/dbus/away");
    let run = stage
        .banger_as_owner(&["vm", "run", "web", "--kernel", KERNEL])
        .unwrap();
    shell(&stage, "mv /run/dbus/away /run/dbus/system_bus_socket");
    assert!(!run.success(), "{}", run.text());
    assert!(run.text().contains("no scope"), "{}", run.text());
    assert_eq!(stage.vm("web").unwrap().state, "failed");
    assert_eq!(left_of_vms(&stage), before);
    let group = stage
        .host
        .property("bangerd-root.service", "ControlGroup")
        .unwrap();
    let helper = stage
        .host
        .property("bangerd-root.service", "MainPID")
        .unwrap();
    let alone = shell(&stage, &format!("cat /sys/fs/cgroup{group}/cgroup.procs"));
    assert_eq!(alone, helper, "a process is left beside the helper");
    // the name is free after a delete, and the next start works
    as_owner(&stage, &["vm", "delete", "web"]);
    stage.run_guest("web").unwrap();
}

/// `banger vm run` with the owner's disk.
fn with_disk(name: &str) -> [&str; 7] {
    ["vm", "run", name, "--kernel", KERNEL, "--rootfs", DISK]
}

#[test]
fn a_failed_start_and_a_killed_helper_leave_nothing() {
    let stage = Stage::installed("0.1.0").unwrap();
    // a disk comes along, so that half of one could be left
    shell(
        &stage,
        "truncate --size 6G /home/alice/disk.img && chown alice /home/alice/disk.img",
    );
    // a jailer that ends at once, and one that never comes to run a guest while the helper is killed
    let jailer = "/usr/local/bin/jailer";
    shell(&stage, &format!("mv {jailer} {jailer}.real"));
    let put = |text: &str| {
        stage
            .host
            .write(jailer, format!("#!/bin/sh\n{text}\n"))
            .unwrap();
        shell(&stage, &format!("chmod 0755 {jailer}"));
    };
    let run = with_disk("web");
    put("ls -l /proc/self/fd; echo it did not work; exit 3");
    let failed = stage.banger_as_owner(&run).unwrap();
    assert!(
        !failed.success() && failed.text().contains("it did not work"),
        "{}",
        failed.text()
    );
    assert_eq!(left_of_vms(&stage), "");
    // standard input, output and error, and the folder that ls looks at
    let log = shell(&stage, "cat /var/lib/banger-root/vms/*/console.log");
    assert_eq!(log.matches(" -> ").count(), 4, "{log}");
    as_owner(&stage, &["vm", "delete", "web"]);

    put("exec sleep 1000");
    let mut running = stage
        .host
        .command_as("alice", [&["/usr/local/bin/banger"], &run[..]].concat())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    command::wait_for("the start to be under way", 30, || match stage.vm("web") {
        Ok(vm) if vm.pid.is_some() => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .unwrap();
    shell(&stage, "systemctl kill --signal=KILL bangerd-root.service");
    assert!(!running.wait().unwrap().success());
    let judged = wait_for_end(&stage);
    assert_eq!(
        judged, "unmanaged",
        "the process that was let go is not touched"
    );
    shell(
        &stage,
        "kill -KILL $(cat /sys/fs/cgroup/banger.slice/banger-vm-*.scope/cgroup.procs)",
    );
    wait_for_state(&stage, "web", "failed");
    assert_eq!(left_of_vms(&stage), "");
}

/// The state of `web` when it is no longer starting.
fn wait_for_end(stage: &Stage) -> String {
    command::wait_for("the start to be judged", 30, || match stage.vm("web") {
        Ok(vm) if vm.state != "starting" => Ok(vm.state),
        other => Err(format!("{other:?}")),
    })
    .unwrap()
}

#[test]
fn a_sparse_disk_stays_sparse_and_what_does_not_fit_is_refused() {
    let stage = Stage::installed("0.1.0").unwrap();
    shell(
        &stage,
        &format!(
            "truncate --size 6G {DISK} && printf begin | dd of={DISK} conv=notrunc status=none && \
             printf end | dd of={DISK} bs=1 seek=6442450900 conv=notrunc status=none && \
             chown alice {DISK}"
        ),
    );
    as_owner(&stage, &with_disk("web"));
    let id = stage.vm("web").unwrap().id;
    let copy = format!("/var/lib/banger-root/jail/firecracker/{id}/root/rootfs");
    let sizes = shell(&stage, &format!("stat --format='%s %b' {copy}"));
    let (length, blocks) = sizes.split_once(' ').unwrap();
    assert_eq!(length, "6442450944");
    assert!(
        blocks.parse::<u64>().unwrap() < 2048,
        "{blocks} blocks of 512 bytes"
    );
    assert_eq!(shell(&stage, &format!("head -c 5 {copy}")), "begin");
    assert_eq!(
        shell(&stage, &format!("tail -c 44 {copy} | head -c 3")),
        "end"
    );
    // its Firecracker may write all of it
    let pid = stage.vm("web").unwrap().pid.unwrap();
    let limits = shell(&stage, &format!("grep 'Max file size' /proc/{pid}/limits"));
    assert!(limits.contains("6442450944"), "{limits}");

    // the sum of all disks is bounded: 16 of 64 GiB, and the first has 6
    shell(&stage, &format!("truncate --size 64G {DISK}"));
    let mut refused = None;
    for number in 1..=16 {
        let name = format!("vm{number}");
        let tried = stage.banger_as_owner(&with_disk(&name)).unwrap();
        if !tried.success() {
            refused = Some((number, tried.text()));
            break;
        }
        as_owner(&stage, &["vm", "stop", &name]);
    }
    let (number, text) = refused.expect("nothing was refused");
    assert_eq!(number, 16, "{text}");
    assert!(
        text.contains("1024.0 GiB") && text.contains("banger vm delete"),
        "{text}"
    );
    assert!(stage.vm("vm16").is_err(), "a VM that was refused is listed");
}

#[test]
fn the_helper_sleeps_while_nothing_is_written_and_cuts_logs_that_grow() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    // stopped by its signal, the guest says nothing; a daemon that adopted it is at rest
    shell(
        &stage,
        &format!(
            "systemctl restart bangerd-root.service && kill -STOP {}",
            guest.pid
        ),
    );
    stage.vm("web").unwrap();
    let helper = stage
        .host
        .property("bangerd-root.service", "MainPID")
        .unwrap();
    // threads for files end when they had nothing to do for a while
    command::wait_for("the helper's threads to end", 60, || {
        let threads = shell(&stage, &format!("ls /proc/{helper}/task | wc -l"));
        if threads == "1" { Ok(()) } else { Err(threads) }
    })
    .unwrap();
    let switches = || shell(&stage, &format!("grep ctxt /proc/{helper}/status"));
    let before = switches();
    // two of the rounds that it would make
    std::thread::sleep(std::time::Duration::from_secs(11));
    assert_eq!(switches(), before);
    shell(&stage, &format!("kill -CONT {}", guest.pid));
    stage.check_untouched(&guest).unwrap();
    assert_ne!(switches(), before);

    // it wakes when logs grow, and cuts them
    let id = stage.vm("web").unwrap().id;
    let folder = "/var/lib/banger-root";
    let (log, own) = (
        format!("{folder}/vms/{id}/console.log"),
        format!("{folder}/jail/firecracker/{id}/root/firecracker.log"),
    );
    shell(
        &stage,
        &format!("yes | head -c 17M >>{log}; yes | head -c 2M >>{own}"),
    );
    let sizes = format!("stat --format=%s {log}; stat --format=%b {own}; ls {log}.1");
    command::wait_for("both logs to be cut", 30, || {
        let said = shell(&stage, &format!("{sizes} 2>&1; true"));
        let mut lines = said.lines().map(str::parse::<u64>);
        match (lines.next(), lines.next()) {
            (Some(Ok(size)), Some(Ok(blocks)))
                if size < 1 << 20 && blocks <= 2048 && !said.contains("No such") =>
            {
                Ok(())
            }
            _ => Err(said),
        }
    })
    .unwrap();
    assert_eq!(stage.vm("web").unwrap().pid, Some(guest.pid));
}
