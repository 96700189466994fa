//! What a version says of the state before it is switched to, on a host with a guest.

use banger_tests::support::programs;
use banger_tests::support::stage::Stage;

use crate::commands::{assert_same, tree_but_memory};

/// Asks a daemon's program, as root, and gives its line and exit code.
fn asked(stage: &Stage, words: &str) -> (String, i32) {
    let line = format!("bangerd --check-state {words}");
    let output = stage.host.shell(&line).unwrap();
    (output.stdout.trim().to_owned(), output.code.unwrap())
}

/// Raises the schema of a guest's record, as a later version would, and gives what puts it back.
fn raise_schema(stage: &Stage) -> impl Fn() {
    let id = stage.vm("web").unwrap().id;
    let path = stage
        .host
        .path(format!("/var/lib/banger-root/vms/{id}/record.json"));
    let before = fs_err::read(&path).unwrap();
    let mut record: serde_json::Value = serde_json::from_slice(&before).unwrap();
    record["schema"] = 2.into();
    // one without a checksum is taken as it is
    record.as_object_mut().unwrap().remove("checksum");
    fs_err::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
    move || fs_err::write(&path, &before).unwrap()
}

#[test]
fn a_version_that_cannot_read_the_state_is_refused_in_either_direction() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    let compatible = (r#"{"schema":1,"answer":"compatible"}"#.to_owned(), 0);
    assert_eq!(asked(&stage, "--root-helper"), compatible);
    assert_eq!(asked(&stage, "--system"), compatible);
    stage.publish("0.1.1").unwrap();

    let put_back = raise_schema(&stage);
    let cannot = r#"{"schema":1,"answer":"cannot","found":2,"reads":1}"#;
    let before = tree_but_memory(&stage.host);
    assert_eq!(asked(&stage, "--root-helper"), (cannot.to_owned(), 78));
    for words in [&["update", "--yes"][..], &["update", "--dry-run"]] {
        let refused = stage.banger(words).unwrap();
        let text = refused.text();
        assert_eq!(refused.code, Some(6), "{text}");
        let why =
            "0.1.1 cannot read the state of bangerd-root.service (schema 2; it reads up to 1)";
        assert!(text.contains(why) && text.contains("hint:"), "{text}");
        assert_same(&before, &tree_but_memory(&stage.host));
    }
    put_back();
    stage.banger(&["update", "--yes"]).unwrap().ok().unwrap();

    // off probation nothing goes back with the version any more
    let probation = stage.host.path("/var/lib/banger-install/trial.json");
    fs_err::remove_file(probation).unwrap();
    let put_back = raise_schema(&stage);
    let rollback = stage.banger(&["update", "--rollback", "--yes"]).unwrap();
    assert_eq!(rollback.code, Some(6), "{}", rollback.text());
    assert!(
        rollback.text().contains("0.1.0 cannot read"),
        "{}",
        rollback.text()
    );
    put_back();
    let rollback = stage.banger(&["update", "--rollback", "--yes"]).unwrap();
    rollback.ok().unwrap();
    stage.check_untouched(&guest).unwrap();
}

#[test]
fn what_a_version_will_migrate_is_shown_and_what_says_nothing_changes_nothing() {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    // the daemons of 0.1.1, and a program before them that says what they will do
    let sound = programs::banger("0.1.1").unwrap().join("bangerd");
    let place = "/usr/local/libexec/bangerd-0.1.1";
    stage.host.copy(&sound, place).unwrap();
    let script = |said: &str| {
        format!(
            "#!/bin/sh\ncase $1$2 in\n--version) echo bangerd 0.1.1; exit ;;\n\
             --check-state--root-helper) {said} ;;\nesac\n\
             exec {place} \"$@\"\n"
        )
    };
    let migrates = r#"echo '{"schema":1,"answer":"will-migrate","from":1,"to":2}'; exit 3"#;
    let publish = |script: &str| {
        let release = stage.releases.scripted("0.1.1", script).unwrap();
        stage.releases.publish(&release).unwrap();
    };
    publish(&script("echo maybe; exit 0"));
    let refused = stage.banger(&["update", "--yes"]).unwrap();
    assert_eq!(refused.code, Some(6), "{}", refused.text());
    assert!(
        refused.text().contains("does not say"),
        "{}",
        refused.text()
    );

    publish(&script(migrates));
    let shown = stage
        .banger(&["update", "--dry-run"])
        .unwrap()
        .ok()
        .unwrap();
    let told = "will migrate the state of bangerd-root from schema 1 to 2";
    assert!(shown.contains(told), "{shown}");
    let done = stage.banger(&["update", "--yes"]).unwrap().ok().unwrap();
    assert!(done.contains(told), "{done}");
    stage.check_untouched(&guest).unwrap();
    let rollback = stage.banger(&["update", "--rollback", "--yes"]).unwrap();
    rollback.ok().unwrap();

    // as a version from before the question answers it
    publish(&script("echo 'error: unexpected argument' >&2; exit 2"));
    let update = stage
        .banger(&["update", "--yes", "--version", "0.1.1"])
        .unwrap();
    let done = update.ok().unwrap();
    assert!(!done.contains("migrate"), "{done}");
    stage.check_untouched(&guest).unwrap();
}
