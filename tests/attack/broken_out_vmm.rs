//! A guest has broken out of its VMM: the process in the jail is the attacker's own program. It
//! reaches nothing beyond its jail, its end is its owner's to decide, and nobody else notices.

use crate::boundary::{HELPER, Scene};

/// A VM that behaves so does not start. The request ends with an error, and nothing stays.
fn does_not_start(deeds: &[&str]) {
    let scene = Scene::with_fake_vmm();
    for deed in deeds {
        let run = scene.run("bad", deed);
        assert!(!run.success(), "{deed}: {}", run.text());
        scene.check();
        let vm = scene.stage.vm("bad").unwrap();
        assert_eq!((vm.state.as_str(), vm.pid), ("failed", None), "{deed}");
        let uid = scene.record("bad")["uid"].as_u64().unwrap();
        let left = format!(
            "ls -d /var/lib/banger-root/jail/firecracker/{0} 2>&1; true",
            vm.id
        );
        let left = scene.host().shell(&left).unwrap().ok().unwrap();
        assert!(
            left.contains("No such file"),
            "{deed}: a jail is left: {left}"
        );
        let words = ["vm", "delete", "bad"];
        scene.stage.banger_as_owner(&words).unwrap().ok().unwrap();
        scene.check_nothing_left(&vm.id, uid);
    }
}

#[test]
fn a_vmm_that_answers_nothing_or_without_end_does_not_start() {
    does_not_start(&["start-exits", "start-silent", "start-trickling"]);
}

#[test]
fn a_vmm_that_floods_its_answer_or_lets_nobody_connect_does_not_start() {
    does_not_start(&["start-endless", "start-backlog"]);
}

#[test]
fn a_vmm_that_stops_answering_is_stopped_all_the_same() {
    let scene = Scene::with_fake_vmm();
    for deed in ["silent", "trickling", "endless", "unlistened"] {
        scene.run_and_do("bad", deed);
        scene.check();
        scene.end("bad");
        scene.check();
    }
}

#[test]
fn a_vmm_whose_api_socket_is_full_is_stopped_all_the_same() {
    let scene = Scene::with_fake_vmm();
    scene.run("bad", "backlog").ok().unwrap();
    scene.go("bad");
    scene.wait_for_word("bad", "the queue is full");
    scene.check();
    // other VMs are served meanwhile, and so is this one's end
    scene.run("other", "nothing").ok().unwrap();
    scene.end("bad");
    scene.end("other");
    scene.check();
}

#[test]
fn a_vmm_that_stops_answering_is_found_again_or_left_alone_by_a_new_helper() {
    let scene = Scene::with_fake_vmm();
    for deed in ["silent", "trickling", "endless", "unlistened"] {
        scene.run_and_do("bad", deed);
        let before = scene.stage.vm("bad").unwrap();
        scene.restart_helper();
        let after = scene.stage.vm("bad").unwrap();
        assert_eq!(before.pid, after.pid, "{deed}");
        assert!(
            ["running", "unmanaged"].contains(&after.state.as_str()),
            "{deed}: {after:?}"
        );
        scene.check();
        scene.end("bad");
    }
}

#[test]
fn another_number_in_the_pidfile_ends_nobody_else() {
    let scene = Scene::with_fake_vmm();
    scene.run("bad", "pidfile").ok().unwrap();
    scene.wait_for_word("bad", "fake: done pidfile");
    let id = scene.stage.vm("bad").unwrap().id;
    let pidfile = format!("/var/lib/banger-root/jail/firecracker/{id}/root/firecracker.pid");
    let victims = [1, scene.helper().1, scene.good.pid];
    for victim in victims {
        let path = scene.host().path(&pidfile);
        fs_err::remove_file(&path).unwrap();
        fs_err::write(&path, victim.to_string()).unwrap();
        let before = scene.stage.vm("bad").unwrap();
        scene.restart_helper();
        assert_eq!(scene.stage.vm("bad").unwrap(), before, "pid {victim}");
        scene.check();
    }
    scene.end("bad");
    scene.check();
}

/// The files of its jail become something else, and everything that the helper does with them is
/// done.
fn with_other_files(deed: &str) {
    let scene = Scene::with_fake_vmm();
    scene.run("bad", deed).ok().unwrap();
    scene.wait_for_word("bad", &format!("fake: done {deed}"));
    scene.check();
    let logs = scene.stage.banger_as_owner(&["vm", "logs", "bad"]).unwrap();
    assert!(logs.ok().unwrap().contains("tick "));
    scene.restart_helper();
    assert_eq!(scene.stage.vm("bad").unwrap().state, "running");
    // its own last words are read when it exits
    let pid = scene.stage.vm("bad").unwrap().pid.unwrap();
    let die = format!("kill -KILL {pid}");
    scene.host().shell(&die).unwrap().ok().unwrap();
    banger_tests::support::command::wait_for("its end to be seen", 20, || {
        let vm = scene.stage.vm("bad").map_err(|error| error.to_string())?;
        (vm.pid.is_none()).then_some(()).ok_or(vm.state)
    })
    .unwrap();
    scene.check();
    scene.end("bad");
    scene.check();
}

#[test]
fn links_in_a_jail_lead_nowhere() {
    with_other_files("links");
}

#[test]
fn fifos_in_a_jail_keep_nobody_waiting() {
    with_other_files("fifos");
}

#[test]
fn a_vmm_that_makes_a_file_as_long_as_a_disk_is_ended_by_the_kernel() {
    // RLIMIT_FSIZE (getrlimit(2)): SIGXFSZ, which nothing here catches
    does_not_start(&["holes"]);
}

#[test]
fn a_jail_with_a_deep_tree_and_names_that_are_no_text_is_refused_and_removed() {
    does_not_start(&["folders"]);
}

#[test]
fn a_flood_of_output_is_bounded_on_the_disk_and_in_memory() {
    const LOGS: u64 = 96 * 1024 * 1024;
    let scene = Scene::with_fake_vmm();
    scene.run_and_do("bad", "flood");
    let id = scene.stage.vm("bad").unwrap().id;
    let written = || {
        let line = format!(
            "cat /proc/{}/io",
            scene.stage.vm("bad").unwrap().pid.unwrap()
        );
        let io = scene.host().shell(&line).unwrap().ok().unwrap();
        let line = io.lines().find(|line| line.starts_with("wchar:")).unwrap();
        line.split(' ').nth(1).unwrap().parse::<u64>().unwrap()
    };
    // four times as much as may stay: the log was cut again and again
    banger_tests::support::command::wait_for("a flood", 120, || {
        let now = written();
        (now > 4 * LOGS).then_some(()).ok_or(now.to_string())
    })
    .unwrap();
    let line = format!(
        "du --summarize --block-size=1 /var/lib/banger-root/vms/{id} \
         /var/lib/banger-root/jail/firecracker/{id} | cut -f1"
    );
    banger_tests::support::command::wait_for("logs within their bound", 60, || {
        let said = scene
            .host()
            .shell(&line)
            .map_err(|error| error.to_string())?;
        let sizes: Vec<u64> = said
            .stdout
            .lines()
            .filter_map(|size| size.parse().ok())
            .collect();
        let all: u64 = sizes.iter().sum();
        (sizes.len() == 2 && all < LOGS)
            .then_some(())
            .ok_or(all.to_string())
    })
    .unwrap();
    scene.check();
    assert!(
        scene.helper_peak_kib() < 64 * 1024,
        "{} KiB",
        scene.helper_peak_kib()
    );
    scene.end("bad");
    scene.check();
}

#[test]
fn children_that_stay_end_with_their_vm() {
    let scene = Scene::with_fake_vmm();
    scene.run_and_do("bad", "children");
    let uid = scene.record("bad")["uid"].as_u64().unwrap();
    let count = format!("ps -e -o uid= | grep -c '^ *{uid}$'");
    let found = scene.host().shell(&count).unwrap().ok().unwrap();
    assert_eq!(found, "21", "it has not the children that the test wants");
    scene.check();
    scene.end("bad");
    scene.check();
}

#[test]
fn children_that_outlive_their_parent_are_seen_and_go_with_the_vm() {
    let scene = Scene::with_fake_vmm();
    scene.run_and_do("bad", "children");
    let pid = scene.stage.vm("bad").unwrap().pid.unwrap();
    let uid = scene.record("bad")["uid"].as_u64().unwrap();
    let die = format!("kill -KILL {pid}");
    scene.host().shell(&die).unwrap().ok().unwrap();
    banger_tests::support::command::wait_for("its end to be seen", 20, || {
        let vm = scene.stage.vm("bad").map_err(|error| error.to_string())?;
        (vm.state != "running").then_some(()).ok_or(vm.state)
    })
    .unwrap();
    // no other VM gets the uid that they still have
    scene.run("next", "nothing").ok().unwrap();
    assert_ne!(scene.record("next")["uid"].as_u64().unwrap(), uid);
    scene.end("bad");
    scene.end("next");
    scene.check();
}

#[test]
fn how_many_children_it_may_have_is_bounded() {
    let scene = Scene::with_fake_vmm();
    let id = scene.stage.vm("good").unwrap().id;
    let scope = format!("banger-vm-{id}.scope");
    for property in ["TasksMax", "MemoryMax"] {
        let value = scene.host().property(&scope, property).unwrap();
        assert!(
            value.parse::<u64>().is_ok_and(|bound| bound < u64::MAX),
            "{property}={value}"
        );
    }
}

#[test]
fn a_vmm_whose_main_thread_has_ended_is_alive_and_is_stopped() {
    let scene = Scene::with_fake_vmm();
    for restart in [false, true] {
        scene.run("bad", "half-dead").ok().unwrap();
        let pid = scene.stage.vm("bad").unwrap().pid.unwrap();
        scene.go("bad");
        scene.wait_for_word("bad", "half dead");
        let stat = format!("cut -d ' ' -f 3 /proc/{pid}/stat");
        assert_eq!(scene.host().shell(&stat).unwrap().ok().unwrap(), "Z");
        if restart {
            scene.restart_helper();
        }
        let vm = scene.stage.vm("bad").unwrap();
        assert_eq!(vm.pid, Some(pid), "{vm:?}");
        let delete = scene
            .stage
            .banger_as_owner(&["vm", "delete", "bad"])
            .unwrap();
        assert!(!delete.success(), "{}", delete.text());
        scene.end("bad");
        scene.check();
    }
}

#[test]
fn a_vmm_that_ignores_sigterm_is_ended() {
    let scene = Scene::with_fake_vmm();
    scene.run("bad", "deaf").ok().unwrap();
    let pid = scene.stage.vm("bad").unwrap().pid.unwrap();
    let line = format!("grep SigIgn /proc/{pid}/status");
    let ignored = scene.host().shell(&line).unwrap().ok().unwrap();
    assert!(
        ignored.ends_with("4000") || ignored.ends_with("5000"),
        "{ignored}"
    );
    scene.end("bad");
    scene.check();
}

#[test]
fn a_vmm_reaches_nothing_in_the_network_of_the_host() {
    let scene = Scene::with_fake_vmm();
    // root can connect there: the release server listens on the loopback
    let line = "bash -c ': </dev/tcp/127.0.0.1/8443'";
    scene.host().shell(line).unwrap().ok().unwrap();
    scene.run("bad", "network").ok().unwrap();
    scene.go("bad");
    scene.wait_for_word("bad", "fake: not reached");
    scene.end("bad");
    scene.check();
}

#[test]
fn a_vmm_has_no_descriptor_of_the_helper() {
    let scene = Scene::with_fake_vmm();
    scene.run("bad", "nothing").ok().unwrap();
    let pid = scene.stage.vm("bad").unwrap().pid.unwrap();
    let line = format!("readlink /proc/{pid}/fd/* | sort -u; true");
    let open = scene.host().shell(&line).unwrap().ok().unwrap();
    let id = scene.stage.vm("bad").unwrap().id;
    for file in open.lines() {
        let own = file == "/dev/null"
            || file.contains(&format!("/{id}/console.log"))
            || file.starts_with("socket:");
        assert!(own, "{file} is open in the VMM: {open}");
    }
    let sockets = open
        .lines()
        .filter(|file| file.starts_with("socket:"))
        .count();
    assert!(sockets <= 1, "{open}");
    assert_eq!(scene.host().property(HELPER, "NRestarts").unwrap(), "0");
    scene.end("bad");
    scene.check();
}
