//! Another local user, who has nothing to do with banger: processes that look like guests, that are
//! enormous, or whose names are no text; connections that are not hers to make; containers of hers
//! under user ids of their own.

use banger_tests::support::command;
use banger_tests::support::stage::{OWNER, Vm};

use crate::boundary::{HELPER, STRANGER, Scene};

const HELPER_SOCKET: &str = "/run/banger-root/bangerd-root.sock";
const OWNER_SOCKET: &str = "/run/banger/bangerd.sock";

/// The list holds the good guest alone, as it was.
fn check_list(scene: &Scene, expected: &[Vm]) {
    assert_eq!(scene.stage.vms().unwrap(), expected);
    scene.check();
}

/// Restarts the helper among what there is by now; the list is as it was.
fn restart_and_check(scene: &Scene) {
    let before = scene.stage.vms().unwrap();
    scene.restart_helper();
    check_list(scene, &before);
}

fn start_unit(scene: &Scene, unit: &str, uid: &str, line: &str) -> u32 {
    let script = format!("/opt/{unit}.sh");
    scene
        .host()
        .write(&script, format!("#!/bin/bash\n{line}\n"))
        .unwrap();
    // systemd gives a part of the tree to a user that it knows alone
    let (user, become_user) = if uid.parse::<u32>().is_ok() {
        let become_user = format!("setpriv --reuid={uid} --regid={uid} --clear-groups --");
        (String::new(), become_user)
    } else {
        (format!("--uid={uid}"), String::new())
    };
    let start = format!(
        "systemd-run --quiet --unit={unit} --property=Delegate=yes {user} -- \
         {become_user} bash {script}"
    );
    scene.host().shell(&start).unwrap().ok().unwrap();
    let pid = scene.host().property(&format!("{unit}.service"), "MainPID");
    pid.unwrap().parse().unwrap()
}

#[test]
fn three_hundred_processes_with_enormous_command_lines_keep_no_helper_from_starting() {
    const PROCESSES: usize = 300;
    let scene = Scene::new();
    // 2 MB of arguments each, in words of 128 KiB less one byte, which is as long as one may be
    // (execve(2)); a script's name is its process's
    let words = "word=$(head -c 131000 /dev/zero | tr '\\0' x); \
                 set -- $(for i in $(seq 15); do echo $word; done)";
    let child = "#!/bin/bash\nwhile :; do read -t 3600 <> <(:); done\n";
    scene.host().write("/opt/firecracker", child).unwrap();
    let line = format!(
        "chmod 0755 /opt/firecracker; {words}; for i in $(seq {PROCESSES}); do \
         /opt/firecracker --id \"$@\" & done; wait"
    );
    scene
        .host()
        .shell("chmod 0755 /opt/firecracker")
        .unwrap()
        .ok()
        .unwrap();
    let unit = "crowd";
    start_unit(&scene, unit, STRANGER, &line);
    let count = format!("ps -U {STRANGER} -o comm= | grep -c '^firecracker$'; true");
    command::wait_for("the crowd", 120, || {
        let found = scene
            .host()
            .shell(&count)
            .map_err(|error| error.to_string())?;
        // each has a child of its own name now and then
        let found = found.stdout.trim().to_owned();
        let enough = found.parse::<usize>().is_ok_and(|count| count > PROCESSES);
        enough.then_some(()).ok_or(found)
    })
    .unwrap();
    for _ in 0..3 {
        restart_and_check(&scene);
        let peak = scene.helper_peak_kib();
        assert!(peak < 64 * 1024, "the helper took {peak} KiB");
    }
    scene.run_real("more");
    scene.end("more");
    let second = scene.stage.releases.sound("0.1.1").unwrap();
    scene.stage.releases.publish(&second).unwrap();
    let update = scene.stage.banger(&["update", "--yes"]).unwrap();
    assert!(update.success(), "{}", update.text());
    scene.check();
}

#[test]
fn processes_that_call_themselves_a_vm_are_none() {
    let mut scene = Scene::new();
    scene.run_real("web");
    for user in [STRANGER, OWNER] {
        for name in ["firecracker", "jailer"] {
            scene.add_bystander(user, name, "web");
        }
    }
    restart_and_check(&scene);
    // the VM's end is not theirs
    scene.end("web");
    restart_and_check(&scene);
}

#[test]
fn names_and_arguments_that_are_no_text_are_read_past() {
    let mut scene = Scene::new();
    let line = "name=/tmp/$'\\xff\\xfe(Z) \\e[2J'; cp /bin/sleep \"$name\"; \
                exec \"$name\" 3600";
    start_unit(&scene, "unreadable", STRANGER, line);
    let line = "exec -a $'--id\\xff\\n' sleep 3600";
    start_unit(&scene, "odd", STRANGER, line);
    command::wait_for("a process with such a name", 20, || {
        let said = scene
            .host()
            .shell("cat /proc/[0-9]*/comm | LC_ALL=C grep -c $(printf '\\377')");
        let said = said.map_err(|error| error.to_string())?.stdout;
        (said.trim() != "0").then_some(()).ok_or(said)
    })
    .unwrap();
    for unit in ["unreadable.service", "odd.service"] {
        let pid = scene.host().property(unit, "MainPID").unwrap();
        scene.watch(unit, pid.parse().unwrap());
    }
    restart_and_check(&scene);
    let list = scene.stage.banger_as_owner(&["vm", "list"]).unwrap();
    assert!(!list.ok().unwrap().contains('\u{1b}'));
}

#[test]
fn containers_with_user_ids_of_their_own_are_not_taken_for_guests() {
    let mut scene = Scene::new();
    // systemd-nspawn's and newuidmap's ranges, that of older versions, and that of this one
    let uids = [
        "600000",
        "600001",
        "665535",
        "524288",
        "2100000000",
        "2100000001",
        "2100065535",
    ];
    for uid in uids {
        scene.add_bystander(uid, "firecracker", "good");
    }
    restart_and_check(&scene);
    // a VM that starts now shares no user id with any of them
    scene.run_real("web");
    let uid = scene.record("web")["uid"].to_string();
    assert!(!uids.contains(&uid.as_str()), "uid {uid} is a container's");
    scene.end("web");
    // and when they end, no restart and no update is rolled back for it
    let mortal = ["600002", "2100000002"];
    for uid in mortal {
        let unit = format!("mortal-{uid}");
        start_unit(&scene, &unit, uid, "exec -a firecracker sleep 3600");
    }
    let second = scene.stage.releases.sound("0.1.1").unwrap();
    scene.stage.releases.publish(&second).unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for uid in mortal {
                let stop = format!("systemctl stop mortal-{uid}.service");
                scene.host().shell(&stop).unwrap().ok().unwrap();
            }
        });
        let update = scene.stage.banger(&["update", "--yes"]).unwrap();
        assert!(update.success(), "{}", update.text());
    });
    scene.check();
}

#[test]
fn uninstalling_with_the_guests_ends_no_container() {
    let mut scene = Scene::new();
    for uid in ["600000", "2100000007"] {
        scene.add_bystander(uid, "firecracker", "good");
    }
    // after the receipt is gone the helper cannot be asked any more: what is watched is looked at
    let uninstall = scene
        .stage
        .banger(&["system", "uninstall", "--stop-guests", "--yes"]);
    let uninstall = uninstall.unwrap();
    assert!(uninstall.success(), "{}", uninstall.text());
    scene.check_bystanders();
}

#[test]
fn a_control_group_that_is_named_as_a_vms_makes_no_guest() {
    let mut scene = Scene::new();
    let id = scene.stage.vm("good").unwrap().id;
    // in a part of the tree that is hers, a user makes groups of any name
    let line = format!(
        "own=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup); \
         forged=$own/banger.slice/banger-vm-{id}.scope; mkdir -p $forged; \
         echo $$ >$forged/cgroup.procs; exec -a firecracker sleep 3600"
    );
    let pid = start_unit(&scene, "forged", STRANGER, &line);
    let read = format!("cat /proc/{pid}/cgroup /proc/{pid}/cmdline");
    command::wait_for("the forged scope", 20, || {
        let said = scene
            .host()
            .shell(&read)
            .map_err(|error| error.to_string())?;
        let scope = format!("/banger.slice/banger-vm-{id}.scope");
        let forged = said.stdout.contains(&scope) && said.stdout.contains("firecracker");
        forged.then_some(()).ok_or_else(|| said.text())
    })
    .unwrap();
    scene.watch("the forged scope's", pid);
    restart_and_check(&scene);
    let words = ["vm", "stop", "good", "--grace", "0"];
    scene.stage.banger_as_owner(&words).unwrap().ok().unwrap();
    let words = ["vm", "delete", "good"];
    scene.stage.banger_as_owner(&words).unwrap().ok().unwrap();
    scene.check_bystanders();
}

#[test]
fn a_stranger_is_refused_before_a_byte_is_read_and_takes_nobodys_place() {
    /// More than a daemon serves at a time.
    const CONNECTIONS: usize = 200;
    let scene = Scene::new();
    // even one who shares the owner's group
    let join = format!("usermod --append --groups {OWNER} {STRANGER}");
    scene.host().shell(&join).unwrap().ok().unwrap();
    let program = banger_tests::support::programs::own("raw-client").unwrap();
    scene
        .host()
        .copy(&program, "/usr/local/libexec/raw-client")
        .unwrap();
    for socket in [OWNER_SOCKET, HELPER_SOCKET] {
        let count = CONNECTIONS.to_string();
        let words = [
            "/usr/local/libexec/raw-client",
            "--socket",
            socket,
            "--hold",
            &count,
        ];
        let mut command = scene.host().command_as(STRANGER, words);
        command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        let output = child.stdout.as_mut().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut said).unwrap();
        let held: serde_json::Value = serde_json::from_str(&said).unwrap();
        // either the file system refuses, or the daemon hangs up without an answer
        assert_eq!(held["open"], 0, "{socket}: {held}");
        assert_eq!(held["answered"], 0, "{socket}: {held}");
        scene.check();
        scene
            .stage
            .banger(&["system", "restart"])
            .unwrap()
            .ok()
            .unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    scene.check_untouched_good();
}

#[test]
fn where_proc_hides_processes_a_running_guest_is_neither_gone_nor_deleted() {
    let scene = Scene::new();
    let hide = "mount -o remount,hidepid=2 /proc";
    scene.host().shell(hide).unwrap().ok().unwrap();
    let shown = scene
        .host()
        .run_as(STRANGER, ["ls", "/proc/1/stat"])
        .unwrap();
    assert!(!shown.success(), "nothing is hidden: {}", shown.text());
    scene.restart_helper();
    let vm = scene.stage.vm("good").unwrap();
    assert!(
        ["running", "unmanaged"].contains(&vm.state.as_str()),
        "{vm:?}"
    );
    let delete = scene
        .stage
        .banger_as_owner(&["vm", "delete", "good"])
        .unwrap();
    assert!(!delete.success(), "{}", delete.text());
    // it says why changes are refused, where it cannot see
    let helper = scene.stage.banger(&["system", "status"]).unwrap();
    println!("{}", helper.text());
    scene
        .host()
        .shell("mount -o remount,hidepid=0 /proc")
        .unwrap()
        .ok()
        .unwrap();
    scene.restart_helper();
    scene.check_untouched_good();
    assert_eq!(scene.host().property(HELPER, "NRestarts").unwrap(), "0");
    scene.end("good");
}
