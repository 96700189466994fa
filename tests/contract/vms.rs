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
    let stage = Stage::installed("0.1.0").unwrap();
    let guest = stage.run_guest("web").unwrap();
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
    // a deleted VM has no more to show: the follower ends by itself
    for words in [["vm", "stop", "web"], ["vm", "delete", "web"]] {
        stage.banger_as_owner(&words).unwrap().ok().unwrap();
    }
    child.wait().unwrap();
    assert!(stage.vms().unwrap().is_empty());
}

#[test]
fn a_name_is_free_again_and_an_ended_guest_is_told_truly() {
    let stage = Stage::installed("0.1.0").unwrap();
    let first = stage.run_guest("web").unwrap();
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
