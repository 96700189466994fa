//! A host whose folders are file systems of their own: no rename crosses from one to another.

use banger_tests::support::Host;

use crate::toy::Toy;

/// Everything that the toolkit writes to lies on another file system than its neighbour.
const MOUNTED: [&str; 5] = [
    "/etc",
    "/var",
    "/usr/local",
    "/usr/local/lib",
    "/usr/local/bin",
];

#[test]
fn install_update_rollback_restart_and_uninstall_hold_across_file_systems() {
    let builder = Host::new().without_firecracker().mounted(&MOUNTED);
    let toy = Toy::on(builder.build().unwrap());
    let devices = toy.shell(&format!("stat -c %d / {} | sort -u", MOUNTED.join(" ")));
    assert_eq!(devices.lines().count(), MOUNTED.len() + 1, "{devices}");

    let before = toy.tree();
    toy.install().ok().unwrap();
    let child = toy.child();
    toy.update("0.1.1").ok().unwrap();
    assert_eq!(
        (toy.current(), toy.answer()),
        ("0.1.1".into(), "0.1.1".into())
    );
    let updated = toy.tree();
    let failed = toy.update("0.1.2");
    assert!(!failed.success(), "{}", failed.text());
    assert_eq!(toy.tree(), updated);
    assert_eq!(toy.answer(), "0.1.1");
    toy.run("rollback").ok().unwrap();
    assert_eq!(
        (toy.current(), toy.answer()),
        ("0.1.0".into(), "0.1.0".into())
    );
    toy.run("restart").ok().unwrap();
    // the same version from other bytes: what lies there is set aside, and the new comes beside it
    toy.shell("echo '# built anew' >> /root/0.1.0/bin/toyd");
    toy.install().ok().unwrap();
    toy.shell("tail -n 1 /usr/local/lib/toy/0.1.0/bin/toyd | grep -q anew");
    assert_eq!(toy.child(), child);
    toy.shell("kill $(cat /var/lib/toy/child)");
    toy.run("uninstall --purge").ok().unwrap();
    assert_eq!(toy.tree(), before);
}

/// What the toolkit writes to, each a file system of its own.
const WRITTEN_TO: [&str; 3] = ["/usr/local", "/etc", "/var/lib"];

impl Toy {
    fn on_its_own_file_systems() -> Self {
        let builder = Host::new().without_firecracker().mounted(&WRITTEN_TO);
        let toy = Self::on(builder.build().unwrap());
        toy.install().ok().unwrap();
        toy
    }

    /// As a kernel that met an error on the disk, or an administrator.
    fn remount(&self, folder: &str, how: &str) {
        self.shell(&format!("mount -o remount,bind,{how} {folder}"));
    }
}

#[test]
fn a_file_system_that_has_become_read_only_is_named_and_nothing_is_lost() {
    let toy = Toy::on_its_own_file_systems();
    let child = toy.child();
    for folder in WRITTEN_TO {
        for command in ["update /root/0.1.1 0.1.1", "rollback"] {
            let at = format!("{command} with {folder} read-only");
            let before = toy.tree();
            let version = toy.answer();
            toy.remount(folder, "ro");
            let refused = toy.run(command);
            assert!(!refused.success(), "{at}");
            let said = &refused.stderr;
            for words in [
                "the host is as it was before",
                &format!(" {folder}/"),
                "Read-only file system",
                "hint: its file system is read-only; mount it writable and try again",
            ] {
                assert!(said.contains(words), "{at}: no {words:?} in {said}");
            }
            assert_eq!(toy.tree(), before, "{at}");
            assert_eq!(toy.answer(), version, "{at}");
            let status = toy.run("status").ok().unwrap();
            assert!(status.contains(r#""pending": null"#), "{at}: {status}");
            toy.remount(folder, "rw");
            toy.run(command).ok().unwrap();
            assert_ne!(toy.answer(), version, "{at}, and then not");
            assert_eq!(toy.answer(), toy.current(), "{at}, and then not");
            assert_eq!(toy.child(), child, "{at}");
        }
    }
}

#[test]
fn an_update_whose_file_system_becomes_read_only_is_rolled_back_once_it_is_writable() {
    let toy = Toy::on_its_own_file_systems();
    let child = toy.child();
    let before = toy.tree();
    // it would be faster than the next command
    toy.keep_rescue_away();
    let race = toy.update_in_the_middle();
    // the units are the new ones by now, and the receipt is still to come
    toy.remount("/etc", "ro");
    toy.shell("touch /root/go");
    let ended = race.wait_for_ends(1, 60).unwrap();
    let said = &ended[0].said;
    assert_ne!(ended[0].end.unwrap().0, 0, "{said}");
    for words in [
        "update failed (cannot write /etc/toy/install.json), and could not be rolled back",
        "cause: Read-only file system",
        "mount it writable and try again",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    assert_eq!(toy.child(), child);
    let status = toy.run("status").ok().unwrap();
    assert!(status.contains(r#""pending": "update""#), "{status}");

    toy.remount("/etc", "rw");
    toy.run("restart").ok().unwrap();
    assert_eq!(toy.tree(), before);
    assert_eq!(toy.answer(), "0.1.0");
    assert_eq!(toy.child(), child);
    toy.update("0.1.1").ok().unwrap();
    assert_eq!(toy.answer(), "0.1.1");
    assert_eq!(toy.child(), child);
}
