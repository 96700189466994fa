//! What may happen to the daemons, and what must not happen to a guest (docs/contract.md, "Guests").

use banger_tests::support::api;
use banger_tests::support::command;
use banger_tests::support::stage::{OWNER, Stage};

/// Waits until a unit's main process is another than `before`.
fn wait_for_new_main_pid(stage: &Stage, unit: &str, before: &str) {
    command::wait_for(&format!("a new main process of {unit}"), 30, || {
        let now = stage
            .host
            .property(unit, "MainPID")
            .map_err(|error| error.to_string())?;
        if now == before || now == "0" {
            Err(now)
        } else {
            Ok(())
        }
    })
    .unwrap();
}

#[test]
fn guests_survive_restarts_and_crashes_of_both_daemons() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    for unit in ["bangerd.service", "bangerd-root.service"] {
        for act in ["restart", "kill --signal=KILL"] {
            let before = stage.host.property(unit, "MainPID").unwrap();
            let line = format!("systemctl {act} {unit}");
            stage.host.shell(&line).unwrap().ok().unwrap();
            wait_for_new_main_pid(&stage, unit, &before);
            stage.check_untouched(&guest).unwrap();
        }
    }
    stage.banger(&["system", "restart"]).unwrap().ok().unwrap();
    stage.check_untouched(&guest).unwrap();
}

#[test]
fn guests_survive_an_update_and_a_rollback() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    let second = stage.releases.sound("0.1.1").unwrap();
    let broken = stage.releases.broken().unwrap();
    stage.releases.publish(&second).unwrap();
    stage.banger(&["update", "--yes"]).unwrap().ok().unwrap();
    stage.check_untouched(&guest).unwrap();
    stage.releases.publish(&broken).unwrap();
    let update = stage.banger(&["update", "--yes"]).unwrap();
    update.exited(9).unwrap();
    assert_eq!(
        stage.banger(&["--version"]).unwrap().ok().unwrap(),
        "banger 0.1.1"
    );
    stage.check_untouched(&guest).unwrap();
}

#[test]
fn handles_are_written_from_what_was_found() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    let handles = stage.host.path("/var/lib/banger-root/handles.json");
    // neither a list that is missing nor one that lies is believed
    for before in [None, Some(r#"{"schema":1,"boot_id":"none","vms":[]}"#)] {
        match before {
            None => fs_err::remove_file(&handles).unwrap(),
            Some(lie) => fs_err::write(&handles, lie).unwrap(),
        }
        stage.banger(&["system", "restart"]).unwrap().ok().unwrap();
        let written = fs_err::read_to_string(&handles).unwrap();
        let parsed: serde_json::Value = serde_json::from_str(&written).unwrap();
        let vms = parsed["vms"].as_array().unwrap();
        assert_eq!(vms.len(), 1, "{written}");
        assert_eq!(vms[0]["name"], "web", "{written}");
        assert_eq!(vms[0]["pid"], guest.pid, "{written}");
        stage.check_untouched(&guest).unwrap();
    }
}

#[test]
fn no_request_fails_while_the_daemons_are_restarted_and_replaced() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    stage.publish("0.1.1").unwrap();
    let client = api::Client::start(&stage.host, OWNER).unwrap();
    for _ in 0..5 {
        stage.banger(&["system", "restart"]).unwrap().ok().unwrap();
    }
    stage.banger(&["update", "--yes"]).unwrap().ok().unwrap();
    let tally = client.stop().unwrap();
    println!("{tally:?}");
    assert_eq!(tally.failed, 0, "{tally:?}");
    assert!(tally.versions.contains(&"0.1.0".to_owned()), "{tally:?}");
    assert!(tally.versions.contains(&"0.1.1".to_owned()), "{tally:?}");
    stage.check_untouched(&guest).unwrap();
}
