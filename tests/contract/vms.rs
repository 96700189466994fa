//! `banger vm` on a real host, with real guests.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use banger_tests::support::console::Ticks;
use banger_tests::support::stage::{OWNER, Stage};

#[test]
fn a_vm_has_its_own_copy_of_its_disk_and_the_size_that_was_asked_for() {
    let stage = Stage::installed("0.1.0").unwrap();
    let make = "truncate --size 3M /home/alice/disk.img && chown alice /home/alice/disk.img && \
                sha256sum /home/alice/disk.img";
    let before = stage.host.shell(make).unwrap().ok().unwrap();
    let words = [
        "vm",
        "run",
        "big",
        "--kernel",
        "/home/alice/ticker.elf",
        "--rootfs",
        "/home/alice/disk.img",
        "--cpus",
        "2",
        "--memory",
        "256",
    ];
    stage.banger_as_owner(&words).unwrap().ok().unwrap();
    let guest = stage.find_guest("big").unwrap();
    stage.check_untouched(&guest).unwrap();
    let list = stage
        .banger_as_owner(&["vm", "list", "--json"])
        .unwrap()
        .ok()
        .unwrap();
    let vms: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(
        (&vms[0]["cpus"], &vms[0]["memory_mib"]),
        (&2.into(), &256.into()),
        "{list}"
    );

    // the process holds a copy in its jail, and the owner's file is as it was
    let id = stage.vm("big").unwrap().id;
    let jail = format!("/var/lib/banger-root/jail/firecracker/{id}/root");
    let held = stage
        .host
        .shell(&format!("ls -l /proc/{}/fd", guest.pid))
        .unwrap()
        .ok()
        .unwrap();
    assert!(held.contains("rootfs"), "no disk is open: {held}");
    assert!(!held.contains("/home/alice"), "{held}");
    let copy = stage
        .host
        .shell(&format!("find {jail} -name 'rootfs*' -size 3M"))
        .unwrap()
        .ok()
        .unwrap();
    assert!(copy.starts_with(&jail), "{copy}");
    stage.banger(&["system", "restart"]).unwrap().ok().unwrap();
    stage.check_untouched(&guest).unwrap();
    for words in [["vm", "stop", "big"], ["vm", "delete", "big"]] {
        stage.banger_as_owner(&words).unwrap().ok().unwrap();
    }
    let after = stage
        .host
        .shell("sha256sum /home/alice/disk.img")
        .unwrap()
        .ok()
        .unwrap();
    assert_eq!(after, before);
    let left = stage
        .host
        .shell(&format!("ls -d {jail} 2>/dev/null; true"))
        .unwrap()
        .ok()
        .unwrap();
    assert_eq!(left, "", "the jail is left");
}

#[test]
fn logs_show_the_console_and_follow_it() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    let shown = stage
        .banger_as_owner(&["vm", "logs", "web"])
        .unwrap()
        .ok()
        .unwrap();
    let ticks = Ticks::parse(&shown).unwrap();
    assert_eq!(ticks.nonce, guest.nonce);

    let mut child = stage
        .host
        .command_as(
            OWNER,
            ["/usr/local/bin/banger", "vm", "logs", "web", "--follow"],
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // more lines than there were: the rest was written while it followed
    let wanted = shown.lines().count() + 20;
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let followed: Vec<String> = lines.take(wanted).map(Result::unwrap).collect();
    assert_eq!(followed.len(), wanted);
    let followed = Ticks::parse(&(followed.join("\n") + "\n")).unwrap();
    assert_eq!(followed.nonce, guest.nonce);
    // a deleted VM has no more to show: the follower exits
    for words in [["vm", "stop", "web"], ["vm", "delete", "web"]] {
        stage.banger_as_owner(&words).unwrap().ok().unwrap();
    }
    child.wait().unwrap();
    assert!(stage.vms().unwrap().is_empty());
}

#[test]
fn a_name_is_free_again_and_an_ended_guest_is_told_truly() {
    let (stage, first) = Stage::with_guest("0.1.0").unwrap();
    for words in [["vm", "stop", "web"], ["vm", "delete", "web"]] {
        stage.banger_as_owner(&words).unwrap().ok().unwrap();
    }
    let second = stage.run_guest("web").unwrap();
    assert_ne!(first.identity, second.identity);
    // its process dies while nobody looks: the helper is down
    let die = format!(
        "systemctl stop bangerd.socket bangerd-root.socket bangerd.service bangerd-root.service && \
         kill -KILL {} && systemctl start bangerd-root.socket bangerd.socket",
        second.pid
    );
    stage.host.shell(&die).unwrap().ok().unwrap();
    let vm = stage.vm("web").unwrap();
    assert_eq!((vm.state.as_str(), vm.pid), ("failed", None), "{vm:?}");
}

/// Writes records of VMs that have stopped, as a host that is long in use has them.
fn write_stopped_vms(stage: &Stage, count: u32) {
    let folder = stage.host.path("/var/lib/banger-root/vms");
    for number in 0..count {
        let id = format!("{number:016x}");
        let record = serde_json::json!({
            "schema": 1,
            "id": id,
            "name": format!("old-{number}"),
            "cpus": 1,
            "memory_mib": 128,
            "uid": 2_100_000_000 + number,
            "state": "stopped",
            "reason": null,
            "boot_id": "of an earlier boot",
            "started": "2026-11-20T10:00:00Z",
            "process": null,
            "scope": null,
            "ended": "asked",
        });
        let vm = folder.join(id);
        fs_err::create_dir(&vm).unwrap();
        fs_err::write(vm.join("record.json"), record.to_string()).unwrap();
    }
}

#[test]
fn ten_thousand_stopped_vms_are_listed_and_hinder_no_other() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    write_stopped_vms(&stage, 10_000);
    stage.banger(&["system", "restart"]).unwrap().ok().unwrap();
    let vms = stage.vms().unwrap();
    let stopped = vms.iter().filter(|vm| vm.state == "stopped").count();
    assert_eq!((vms.len(), stopped), (10_001, 10_000));
    assert!(vms.is_sorted_by(|one, other| one.name <= other.name));
    stage.run_guest("new").unwrap();
    let gone = [["vm", "stop", "new"], ["vm", "delete", "old-9999"]];
    for words in gone {
        stage.banger_as_owner(&words).unwrap().ok().unwrap();
    }
    assert_eq!(stage.vms().unwrap().len(), 10_001);
    stage.check_untouched(&guest).unwrap();
    let handles = stage.host.path("/var/lib/banger-root/handles.json");
    let size = fs_err::metadata(handles).unwrap().len();
    assert!(size < 64 * 1024, "handles.json has {size} bytes");
}
