use crate::toy::Toy;

const DROP_INS: &str = "/etc/systemd/system/toyd.service.d";

#[test]
fn a_child_lives_through_a_second_install_an_update_and_a_restart() {
    let toy = Toy::installed();
    let child = toy.child();
    let again = toy.install().ok().unwrap();
    assert!(again.ends_with("unchanged"), "{again}");
    toy.update("0.1.1").ok().unwrap();
    assert_eq!(toy.answer(), "0.1.1");
    assert_eq!(toy.current(), "0.1.1");
    toy.run("restart").ok().unwrap();
    assert_eq!(toy.child(), child);
    // it stayed in the unit's own control group, and systemd says so
    assert!(toy.child_group().ends_with("/toyd.service"));
    let journal = toy.host.journal(Some("toyd.service")).unwrap();
    for words in [
        "remains running after unit stopped",
        "Found left-over process",
    ] {
        assert!(journal.contains(words), "no {words:?} in {journal}");
    }
}

#[test]
fn a_stale_unit_is_repaired_before_the_restart() {
    let toy = Toy::installed();
    let child = toy.child();
    toy.shell("sed -i /KillMode/d /etc/systemd/system/toyd.service; systemctl daemon-reload");
    let mode = toy.host.property("toyd.service", "KillMode").unwrap();
    assert_eq!(mode, "control-group", "the stage is not set");
    let said = toy.update("0.1.1").ok().unwrap();
    assert!(said.contains("has KillMode=control-group"), "{said}");
    assert_eq!(toy.child(), child);
    assert!(
        toy.child_group()
            .ends_with("/toy.slice/toy-child-child.scope")
    );
    assert_eq!(toy.answer(), "0.1.1");
    let mode = toy.host.property("toyd.service", "KillMode").unwrap();
    assert_eq!(mode, "process");
    // the new unit has it itself: the toolkit's own drop-in is gone again
    toy.shell(&format!("test ! -e {DROP_INS}"));
}

#[test]
fn a_drop_in_that_systemd_overlooks_is_overruled_and_kept() {
    let toy = Toy::installed();
    let child = toy.child();
    // a new folder and an old date: NeedDaemonReload says no (systemd 252)
    toy.shell(&format!(
        "mkdir {DROP_INS}; printf '[Service]\\nKillMode=mixed\\nMemoryMax=2G\\n' > {DROP_INS}/a.conf; \
         touch -d 2001-01-01 {DROP_INS} {DROP_INS}/a.conf"
    ));
    let said = toy.run("restart").ok().unwrap();
    assert!(said.contains("a.conf"), "{said}");
    assert_eq!(toy.child(), child);
    let mode = toy.host.property("toyd.service", "KillMode").unwrap();
    assert_eq!(mode, "process");
    toy.shell(&format!("grep -q KillMode=mixed {DROP_INS}/a.conf"));
    // and a plain systemctl restart does no harm any more either
    toy.shell("systemctl restart toyd.service");
    assert_eq!(toy.child(), child);
}

#[test]
fn a_unit_whose_file_is_gone_is_mended_before_the_restart() {
    let toy = Toy::installed();
    let child = toy.child();
    toy.shell("rm /etc/systemd/system/toyd.service; systemctl daemon-reload");
    toy.install().ok().unwrap();
    toy.run("restart").ok().unwrap();
    assert_eq!(toy.child(), child);
    assert_eq!(toy.answer(), "0.1.0");
}

#[test]
fn a_release_that_does_not_come_up_is_rolled_back() {
    let toy = Toy::installed();
    let child = toy.child();
    let before = toy.tree();
    for (version, cause) in [
        ("0.1.2", "the restart job of toyd.service ended as failed"),
        ("0.1.3", "toyd.service says 9.9.9, expected 0.1.3"),
    ] {
        let failed = toy.update(version);
        assert!(!failed.success());
        assert!(failed.stderr.contains(cause), "{}", failed.text());
        assert_eq!(toy.tree(), before, "{version}");
        assert_eq!(toy.answer(), "0.1.0");
        assert_eq!(toy.child(), child);
    }
}

#[test]
fn uninstall_waits_for_the_child_and_then_leaves_nothing() {
    let toy = Toy::new();
    let before = toy.tree();
    toy.install().ok().unwrap();
    let refused = toy.run("uninstall --purge");
    assert!(
        refused.stderr.contains("still running: child"),
        "{}",
        refused.text()
    );
    toy.child();
    toy.shell("kill $(cat /var/lib/toy/child)");
    toy.run("uninstall --purge").ok().unwrap();
    assert_eq!(toy.tree(), before);
    toy.shell("test ! -e /var/lib/toy -a ! -e /var/lib/toy-install -a ! -e /etc/toy");
    let state = toy.host.property("toyd.service", "LoadState").unwrap();
    assert_eq!(state, "not-found");
}
