//! Guests that live in a unit's own control group, and units as releases 0.1.0 to 0.1.3 of the former
//! program wrote them.

use banger_tests::support::stage::{Guest, Stage};

const HELPER: &str = "bangerd-root.service";
const SERVICES: [&str; 2] = ["bangerd.service", HELPER];

/// A host with 0.1.0 installed, two guests in it, and a release 0.1.1 that is not published yet.
fn stage_with_guests() -> (Stage, Vec<Guest>) {
    let stage = Stage::installed("0.1.0").unwrap();
    let guests = ["web", "db"].map(|name| stage.run_guest(name).unwrap());
    (stage, guests.to_vec())
}

/// Moves guests where a helper without scopes would have left them: into its unit's group.
fn into_the_units_group(stage: &Stage, guests: &[Guest]) {
    for guest in guests {
        let procs = format!("/sys/fs/cgroup/system.slice/{HELPER}/cgroup.procs");
        let line = format!("echo {} > {procs}", guest.pid);
        stage.host.shell(&line).unwrap().ok().unwrap();
        let group = control_group(stage, guest);
        assert!(group.ends_with(HELPER), "{} is in {group}", guest.name);
    }
}

fn control_group(stage: &Stage, guest: &Guest) -> String {
    let line = format!("sed -n s/^0:://p /proc/{}/cgroup", guest.pid);
    stage.host.shell(&line).unwrap().ok().unwrap()
}

/// Writes the units as 0.1.3 wrote them, without a word on `KillMode`, and has systemd read them.
fn make_stale(stage: &Stage) {
    for unit in SERVICES {
        let path = format!("/etc/systemd/system/{unit}");
        let text = fs_err::read_to_string(stage.host.path(&path)).unwrap();
        let kept: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("KillMode="))
            .collect();
        stage.host.write(&path, kept.join("\n")).unwrap();
    }
    stage
        .host
        .shell("systemctl daemon-reload")
        .unwrap()
        .ok()
        .unwrap();
    for unit in SERVICES {
        let mode = stage.host.property(unit, "KillMode").unwrap();
        assert_eq!(mode, "control-group", "{unit} is not stale");
    }
}

fn assert_mended(stage: &Stage) {
    for unit in SERVICES {
        assert_eq!(stage.host.property(unit, "KillMode").unwrap(), "process");
        let drop_ins = stage.host.property(unit, "DropInPaths").unwrap();
        assert_eq!(
            drop_ins, "",
            "{unit} keeps a drop-in that it no longer needs"
        );
    }
}

#[test]
fn systemd_reports_that_guests_in_the_units_group_keep_running() {
    let (stage, guests) = stage_with_guests();
    into_the_units_group(&stage, &guests);
    // by hand: a restart of banger's own moves them into scopes first
    let by_hand = ["systemctl", "restart", "bangerd-root.service"];
    stage.host.run(by_hand).unwrap().ok().unwrap();
    for guest in &guests {
        stage.check_untouched(guest).unwrap();
    }
    let journal = stage.host.journal(Some(HELPER)).unwrap();
    for guest in &guests {
        let remains = format!(
            "Unit process {} (firecracker) remains running after unit stopped",
            guest.pid
        );
        let found = format!("Found left-over process {} (firecracker)", guest.pid);
        assert!(journal.contains(&remains), "no {remains:?} in\n{journal}");
        assert!(journal.contains(&found), "no {found:?} in\n{journal}");
    }
}

#[test]
fn guests_under_a_stale_unit_survive_an_update() {
    let (stage, guests) = stage_with_guests();
    stage.publish("0.1.1").unwrap();
    into_the_units_group(&stage, &guests);
    make_stale(&stage);

    let status = stage.banger(&["system", "status"]).unwrap().ok().unwrap();
    assert!(
        status.contains("a restart would kill its guests"),
        "{status}"
    );

    let update = stage.banger(&["update", "--yes"]).unwrap();
    update.exited(0).unwrap();
    assert!(
        update.stdout.contains("KillMode=control-group"),
        "{}",
        update.text()
    );
    let told = update
        .stdout
        .matches("moved to its own scope first")
        .count();
    assert_eq!(told, guests.len(), "{}", update.text());
    assert_mended(&stage);
    for guest in &guests {
        stage.check_untouched(guest).unwrap();
        let group = control_group(&stage, guest);
        assert!(
            group.ends_with(".scope"),
            "{} is still in {group}",
            guest.name
        );
        let line = update.stdout.lines().find(|line| {
            line.contains(&guest.name)
                && line.contains(&guest.pid.to_string())
                && line.contains("unchanged")
        });
        assert!(
            line.is_some(),
            "{} is not named: {}",
            guest.name,
            update.text()
        );
    }
}

#[test]
fn install_and_restart_repair_a_stale_unit_before_anything_stops() {
    let (stage, guests) = stage_with_guests();
    let folder = stage
        .unpack(&stage.releases.sound("0.1.0").unwrap())
        .unwrap();
    let install = format!("{folder}/bin/banger system install --owner alice");
    for command in ["banger system restart", install.as_str(), "banger update"] {
        // "banger update" finds nothing newer, and mends all the same
        if command == "banger update" {
            stage.publish("0.1.0").unwrap();
        }
        make_stale(&stage);
        let output = stage.host.shell(command).unwrap();
        output.exited(0).unwrap();
        assert_mended(&stage);
        for guest in &guests {
            stage.check_untouched(guest).unwrap();
        }
    }
}

#[test]
fn an_overriding_drop_in_is_overruled_and_kept() {
    let (stage, guests) = stage_with_guests();
    into_the_units_group(&stage, &guests);
    let theirs = format!("/etc/systemd/system/{HELPER}.d/theirs.conf");
    stage
        .host
        .write(&theirs, "[Service]\nKillMode=control-group\n")
        .unwrap();
    // not even loaded yet: the command's own Reload would be what puts it in force
    let output = stage.banger(&["system", "restart"]).unwrap();
    output.exited(0).unwrap();
    assert!(output.stdout.contains("theirs.conf"), "{}", output.text());
    assert_eq!(stage.host.property(HELPER, "KillMode").unwrap(), "process");
    assert!(
        stage.host.path(&theirs).exists(),
        "the administrator's file is gone"
    );
    for guest in &guests {
        stage.check_untouched(guest).unwrap();
    }
}
