//! `--dry-run`, `--rollback` and `--stop-guests`, as a person and a script see them.

use banger_tests::support::command::Output;
use banger_tests::support::stage::Stage;
use serde_json::Value;

use crate::commands::{assert_refused, assert_same, tree};

fn json(output: Output) -> Value {
    let text = output.ok().unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The plan that a dry run shows, as JSON, and that nothing came of it.
fn looked_at(stage: &Stage, words: &[&str]) -> Value {
    let before = tree(&stage.host);
    let shown = stage
        .banger(&[words, &["--dry-run", "--json"]].concat())
        .unwrap();
    let shown = json(shown);
    let lines = stage.banger(&[words, &["--dry-run"]].concat()).unwrap();
    let lines = lines.ok().unwrap();
    assert_same(&before, &tree(&stage.host));
    for step in shown["steps"].as_array().unwrap() {
        let what = step["what"].as_str().unwrap();
        assert!(lines.contains(what), "{what} is not in {lines}");
        assert!(!step["why"].as_str().unwrap().is_empty(), "{step}");
    }
    for guest in shown["guests"].as_array().unwrap() {
        assert!(
            lines.contains(guest["meaning"].as_str().unwrap()),
            "{lines}"
        );
    }
    shown
}

fn steps(shown: &Value) -> Vec<&str> {
    let steps = shown["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|step| step["step"].as_str().unwrap())
        .collect()
}

#[test]
fn every_plan_can_be_looked_at_and_the_way_back_taken() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    stage.publish("0.1.1").unwrap();

    let nothing = looked_at(&stage, &["system", "install"]);
    assert_eq!(nothing["changes"], false, "{nothing}");
    let restart = looked_at(&stage, &["system", "restart"]);
    assert!(steps(&restart).contains(&"restart-units"), "{restart}");
    let update = looked_at(&stage, &["update"]);
    assert_eq!(update["from"], "0.1.0");
    assert_eq!(update["to"], "0.1.1");
    assert_eq!(update["guests"][0]["name"], "web");
    assert_eq!(update["guests"][0]["fate"], "own-scope", "{update}");
    for step in [
        "stage-release",
        "start-rescue",
        "begin-probation",
        "link",
        "check-protected",
    ] {
        assert!(steps(&update).contains(&step), "no {step} in {update}");
    }
    let too_early = stage.banger(&["update", "--rollback", "--yes"]).unwrap();
    assert_refused(&too_early, 11, "no version before 0.1.0", "hint");

    stage.banger(&["update", "--yes"]).unwrap().ok().unwrap();
    let status = json(stage.banger(&["system", "status", "--json"]).unwrap());
    assert_eq!(status["probation"], "0.1.1", "{status}");
    let back = looked_at(&stage, &["update", "--rollback"]);
    assert_eq!(
        (&back["from"], &back["to"]),
        (&"0.1.1".into(), &"0.1.0".into())
    );
    let said = stage.banger(&["update", "--rollback", "--yes"]).unwrap();
    let said = said.ok().unwrap();
    assert!(said.contains("Back at 0.1.0"), "{said}");
    let version = stage.banger(&["--version"]).unwrap().ok().unwrap();
    assert_eq!(version, "banger 0.1.0");
    let status = stage.banger(&["system", "status"]).unwrap().ok().unwrap();
    assert!(status.contains("0.1.1 → 0.1.0"), "{status}");
    stage.check_untouched(&guest).unwrap();

    let refused = stage.banger(&["system", "uninstall", "--yes"]).unwrap();
    assert_refused(&refused, 12, "still running: web", "--stop-guests");
    stage.check_untouched(&guest).unwrap();
    let through = ["system", "uninstall", "--purge", "--yes", "--stop-guests"];
    let removal = looked_at(&stage, &["system", "uninstall", "--purge", "--stop-guests"]);
    assert_eq!(removal["guests"][0]["fate"], "stopped", "{removal}");
    stage.check_untouched(&guest).unwrap();
    let said = stage.banger(&through).unwrap().ok().unwrap();
    assert!(said.contains("web (pid"), "{said}");
    stage.host.shell("test ! -e /etc/banger && test ! -e /var/lib/banger-root && test ! -e /usr/local/bin/banger").unwrap().ok().unwrap();
}
