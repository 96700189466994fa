//! Versions that consist of different programs, units and files; and the program of a release that makes
//! its own plan.

use std::collections::BTreeMap;
use std::path::PathBuf;

use banger_tests::support::api::{Client, Daemon};
use banger_tests::support::stage::{OWNER, Stage};

use crate::commands::{assert_same, tree};

/// What lies where people and systemd look: without state, and without the versions' own folders.
pub(crate) fn in_place(stage: &Stage) -> BTreeMap<PathBuf, String> {
    let mut tree = tree(&stage.host);
    tree.retain(|path, _| {
        ["etc/systemd/system", "usr/local/bin", "usr/local/share"]
            .iter()
            .any(|folder| path.to_string_lossy().contains(folder))
    });
    tree
}

fn state(stage: &Stage, unit: &str) -> String {
    stage.host.property(unit, "ActiveState").unwrap()
}

#[test]
fn an_update_brings_units_programs_and_files_and_a_rollback_the_very_same_set_as_before() {
    let stage = Stage::installed("0.1.0").unwrap();
    let guest = stage.run_guest("web").unwrap();
    let before = in_place(&stage);
    let second = stage.releases.wide("0.1.1").unwrap();
    stage.releases.publish(&second).unwrap();
    let client = Client::raw(&stage.host, OWNER, Daemon::Owner, "web").unwrap();

    let dry = stage
        .banger(&["update", "--dry-run"])
        .unwrap()
        .ok()
        .unwrap();
    assert!(dry.contains("banger-extra.socket"), "{dry}");
    assert_same(&before, &in_place(&stage));

    stage.banger(&["update", "--yes"]).unwrap().ok().unwrap();
    let extra = ["/usr/local/bin/banger-extra", "--version"];
    let said = stage.host.run(extra).unwrap().ok().unwrap();
    assert_eq!(said, "banger-extra 0.1.1");
    let page = stage.host.path("/usr/local/share/man/man8/banger-extra.8");
    assert!(
        fs_err::read_link(page)
            .unwrap()
            .to_string_lossy()
            .contains("/current/share/")
    );
    assert_eq!(state(&stage, "banger-extra.socket"), "active");
    let timer = stage.host.path("/etc/systemd/system/banger-update.timer");
    assert!(fs_err::symlink_metadata(timer).is_err());
    stage.check_untouched(&guest).unwrap();

    stage
        .banger(&["update", "--rollback", "--yes"])
        .unwrap()
        .ok()
        .unwrap();
    assert_same(&before, &in_place(&stage));
    assert_eq!(state(&stage, "banger-extra.socket"), "inactive");
    stage.check_untouched(&guest).unwrap();
    let tally = client.stop().unwrap();
    assert_eq!(tally.failed, 0, "{tally:?}");
    assert!(tally.requests > 100, "{tally:?}");
}

#[test]
fn a_release_whose_planner_crashes_hangs_babbles_or_lies_changes_nothing() {
    let stage = Stage::installed("0.1.0").unwrap();
    let guest = stage.run_guest("web").unwrap();
    let right = "case $1 in --version) echo banger 0.1.1; exit ;; esac";
    let answers = "answers=$(echo \"$4\" | cut -d , -f 3)";
    let say =
        |what: &str| format!("{answers}; echo '{what}' >/proc/self/fd/$answers; exec sleep 1000");
    let planned = |version: &str| {
        format!("{{\"handover\":1,\"product\":\"banger\",\"version\":\"{version}\"}}")
    };
    for (what, script, why) in [
        ("crashes", format!("{right}\nkill -SEGV $$"), "made no plan"),
        ("ends", format!("{right}\nexit 0"), "made no plan"),
        (
            "babbles",
            format!("{right}\n{}", say("ready when you are")),
            "cannot be followed",
        ),
        (
            "lies",
            format!("{right}\n{}", say(&planned("0.1.9"))),
            "0.1.9",
        ),
    ] {
        let bad = stage
            .releases
            .planned_by("0.1.1", &format!("#!/bin/sh\n{script}\n"));
        stage.releases.publish(&bad.unwrap()).unwrap();
        let before = tree_but_what_was_seen(&stage);
        let refused = stage.banger(&["update", "--yes"]).unwrap();
        assert_eq!(refused.code, Some(6), "{what}: {}", refused.text());
        assert!(refused.stderr.contains(why), "{what}: {}", refused.text());
        assert_same(&before, &tree_but_what_was_seen(&stage));
    }
    stage.check_untouched(&guest).unwrap();
    // and nothing of them is in the way of a sound one
    let sound = stage.releases.wide("0.1.2").unwrap();
    stage.releases.publish(&sound).unwrap();
    stage.banger(&["update", "--yes"]).unwrap().ok().unwrap();
    stage.check_untouched(&guest).unwrap();
}

fn tree_but_what_was_seen(stage: &Stage) -> BTreeMap<PathBuf, String> {
    crate::commands::tree_but_memory(&stage.host)
}
