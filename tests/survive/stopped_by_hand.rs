//! An administrator who stops a daemon while a new version is on probation: that is no failure of the
//! version, and the watch waits.

use banger_tests::support::stage::Stage;
use banger_tests::support::{Host, command};
use serde_json::Value;

const OLD: &str = "0.1.0";
const NEW: &str = "0.1.1";
const OWNER_DAEMON: &str = "bangerd.service";
const HELPER: &str = "bangerd-root.service";
const RESCUE: &str = "banger-rescue.service";

fn on_probation() -> Stage {
    let stage = Stage::installed(OLD).unwrap();
    let release = stage.releases.sound(NEW).unwrap();
    stage.releases.publish(&release).unwrap();
    stage.banger(&["update", "--yes"]).unwrap().ok().unwrap();
    stage
}

fn status(stage: &Stage) -> Value {
    let status = stage.banger(&["system", "status", "--json"]).unwrap();
    serde_json::from_str(&status.ok().unwrap()).unwrap()
}

/// When a service was no longer active, and when its main process ended, in microseconds.
fn times(host: &Host, unit: &str) -> (u64, u64) {
    let time = |property: &str| {
        let property = format!("{property}TimestampMonotonic");
        host.property(unit, &property).unwrap().parse().unwrap()
    };
    (time("ActiveExit"), time("ExecMainExit"))
}

/// Stops units until `unit` stays down, as a person would: a question that was on its way to the socket
/// starts a service again.
fn stop(stage: &Stage, units: &str, unit: &str) {
    let told = format!("{unit} was stopped by hand");
    command::wait_for(&format!("the watch to tell of {unit}"), 60, || {
        let stopped = stage.host.shell(&format!("systemctl stop {units}"));
        stopped.map_err(|error| error.to_string())?;
        // longer than a service may be silent
        let _ = stage.host.shell("sleep 4");
        let said = stage.host.journal(Some(RESCUE)).unwrap_or_default();
        let active = stage.host.property(unit, "ActiveState");
        match active.as_deref() {
            Ok("inactive") if said.contains(&told) => Ok(()),
            other => Err(format!("{other:?}: {said}")),
        }
    })
    .unwrap();
    let (left, ended) = times(&stage.host, unit);
    assert!(
        left < ended,
        "{unit} was left at {left}, and ended at {ended}"
    );
    assert_eq!(
        stage.host.property(RESCUE, "ActiveState").unwrap(),
        "active"
    );
    let status = status(stage);
    assert_eq!(status["receipt"]["version"], NEW, "{status}");
    assert!(status["receipt"]["rolled_back"].is_null(), "{status}");
    assert!(!status["probation"].is_null(), "{status}");
}

#[test]
fn stopping_daemons_by_hand_on_probation_rolls_nothing_back() {
    let stage = on_probation();
    stop(&stage, OWNER_DAEMON, OWNER_DAEMON);
    let start = format!("systemctl start {OWNER_DAEMON}");
    stage.host.shell(&start).unwrap().ok().unwrap();

    // with the helper goes the daemon that requires it
    let all = format!("{HELPER} bangerd-root.socket bangerd.socket");
    stop(&stage, &all, HELPER);
    assert_eq!(
        stage.host.property(OWNER_DAEMON, "ActiveState").unwrap(),
        "inactive"
    );
    let start =
        format!("systemctl start bangerd-root.socket bangerd.socket {HELPER} {OWNER_DAEMON}");
    stage.host.shell(&start).unwrap().ok().unwrap();

    // the watch goes on and ends as if nothing had been
    command::wait_for("the end of the probation", 120, || {
        let said = stage.host.journal(Some(RESCUE)).unwrap_or_default();
        let over = said.contains(&format!("{NEW} stayed healthy"));
        over.then_some(()).ok_or(said)
    })
    .unwrap();
    let status = status(&stage);
    assert_eq!(status["receipt"]["version"], NEW, "{status}");
    assert!(status["probation"].is_null(), "{status}");
    let seen = stage.host.shell("cat /var/lib/banger-install/seen.json");
    assert!(!seen.unwrap().stdout.contains("failed"));
}

/// What the watch goes by, whatever the unit's `Restart=`: after `systemctl stop` a service is at rest
/// as one is that exited, in order, and is not started anew: `inactive`, `dead`, `success`, no
/// job, no restarts. Only the order of the two times tells them apart.
#[test]
fn systemd_tells_a_stop_by_hand_from_an_end_in_order() {
    let host = Host::new().without_firecracker().build().unwrap();
    let folder = "/etc/systemd/system";
    for (name, program) in [("leaves", "/bin/sleep 0.2"), ("stays", "/bin/sleep 1000")] {
        let unit = format!("[Service]\nExecStart={program}\n");
        host.write(format!("{folder}/{name}.service"), unit)
            .unwrap();
        // systemd forgets a service at rest that nobody names
        let wants = format!("{folder}/multi-user.target.wants");
        let link = format!("mkdir -p {wants} && ln -s ../{name}.service {wants}/");
        host.shell(&link).unwrap().ok().unwrap();
    }
    let line = "systemctl daemon-reload && systemctl start leaves stays && systemctl stop stays";
    host.shell(line).unwrap().ok().unwrap();
    let facts = |name: &str| {
        let properties = ["ActiveState", "SubState", "Result", "NRestarts", "Job"];
        properties.map(|property| host.property(name, property).unwrap())
    };
    command::wait_for("the end of the one that leaves", 30, || {
        let state = facts("leaves.service");
        let rests = state[0] == "inactive";
        rests.then_some(()).ok_or(format!("{state:?}"))
    })
    .unwrap();
    assert_eq!(facts("leaves.service"), facts("stays.service"));
    let (left, ended) = times(&host, "leaves.service");
    assert!(ended < left, "it ended at {ended}, and was left at {left}");
    let (left, ended) = times(&host, "stays.service");
    assert!(left < ended, "it was left at {left}, and ended at {ended}");
}
