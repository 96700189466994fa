//! The rollback that needs nobody, by the rescue unit on a real systemd.

use banger_tests::support::command;

use crate::toy::{RESCUE, Toy};

const JOURNAL: &str = "/var/lib/toy-install/journal.json";

#[test]
fn a_version_that_dies_later_is_left_without_a_command() {
    let toy = Toy::installed();
    let child = toy.child();
    toy.run("make-release /root/0.1.4 0.1.4 mortal")
        .ok()
        .unwrap();
    toy.update("0.1.4").ok().unwrap();
    toy.wait_for_version("0.1.0");
    assert_eq!(toy.child(), child);
    toy.wait_until_idle();
    let receipt = toy.shell("cat /etc/toy/install.json");
    assert!(receipt.contains("exited"), "{receipt}");
    let tree = toy.tree();
    let is_left = |path: &std::path::PathBuf| path.to_string_lossy().contains("0.1.4");
    assert!(!tree.keys().any(is_left), "{tree:?}");
    // and the host is as good as before
    toy.update("0.1.1").ok().unwrap();
    assert_eq!(toy.answer(), "0.1.1");
    assert_eq!(toy.child(), child);
}

#[test]
fn what_a_killed_updater_left_is_rolled_back_without_a_command() {
    let toy = Toy::installed();
    let child = toy.child();
    let before = toy.tree();
    // dies when it is about to switch: the units are the new ones
    toy.killed_update("symlink,symlinkat", 1);
    toy.wait_until_idle();
    assert_eq!(toy.tree(), before);
    assert_eq!(toy.answer(), "0.1.0");
    assert_eq!(toy.child(), child);
}

#[test]
fn what_a_killed_update_left_is_whole_after_a_boot_without_a_command() {
    let mut toy = Toy::installed();
    let (mut old, mut new) = (0, 0);
    // from the first unit that is written to the last of what is swept once the run holds
    let moments = [
        ("rename", 2),
        ("rename", 9),
        ("rename", 19),
        ("rename", 24),
        ("rename", 29),
        ("rmdir", 2),
        ("unlink", 1),
    ];
    for (call, number) in moments {
        let at = format!("killed at {call} {number}");
        let before = toy.tree();
        // in /run, so that the boot knows nothing of it
        toy.keep_rescue_away();
        toy.killed_update(call, number);
        assert!(toy.host.path(JOURNAL).exists(), "{at}: no journal is left");

        toy.host.reboot().unwrap();

        command::wait_for("the end of the journal", 30, || {
            let left = toy.host.path(JOURNAL).exists();
            if left { Err(toy.current()) } else { Ok(()) }
        })
        .unwrap();
        let version = toy.current();
        toy.wait_for_version(&version);
        if version == "0.1.0" {
            old += 1;
            assert_eq!(toy.tree(), before, "{at}");
        } else {
            new += 1;
        }
        let whole = toy.run(&format!("install /root/{version} {version}"));
        assert!(whole.ok().unwrap().ends_with("unchanged"), "{at}");
        if version == "0.1.1" {
            toy.run("rollback").ok().unwrap();
        }
    }
    println!(
        "{} boots after a killed update: {old} ended old, {new} new",
        moments.len()
    );
    assert!(old > 0 && new > 0, "{old} old, {new} new");
}

#[test]
fn a_rescue_that_is_killed_is_started_again() {
    let toy = Toy::installed();
    toy.run("make-release /root/0.1.4 0.1.4 mortal")
        .ok()
        .unwrap();
    toy.update("0.1.4").ok().unwrap();
    toy.shell(&format!("systemctl kill --signal=KILL {RESCUE}"));
    toy.wait_for_version("0.1.0");
    toy.wait_until_idle();
}

#[test]
fn a_version_on_probation_that_a_boot_keeps_waiting_is_not_left() {
    let mut toy = Toy::installed();
    toy.update("0.1.1").ok().unwrap();
    // it has to wait for another unit, and then takes its own time: each longer than the patience
    toy.shell(
        "cd /etc/systemd/system && mkdir toyd.service.d multi-user.target.wants -p && \
         printf '[Service]\\nType=oneshot\\nExecStart=/bin/sleep 5\\n' > slow.service && \
         ln -s ../slow.service multi-user.target.wants/ && \
         printf '[Unit]\\nAfter=slow.service\\n[Service]\\nExecStartPre=/bin/sleep 5\\n' \
             > toyd.service.d/slow.conf",
    );
    toy.host.reboot().unwrap();
    toy.wait_for_version("0.1.1");
    let watched = toy.host.property(RESCUE, "ActiveState").unwrap();
    assert_eq!(watched, "active", "nobody watched");
    let receipt = toy.shell("cat /etc/toy/install.json");
    assert!(!receipt.contains("rolled_back"), "{receipt}");
}
