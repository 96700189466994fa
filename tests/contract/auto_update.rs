//! `system install --auto-update`: a timer that takes what a person's command would take.

use banger_tests::support::releases::BROKEN_VERSION;
use banger_tests::support::stage::Stage;

const TIMER: &str = "banger-update.timer";
const SERVICE: &str = "banger-update.service";

fn state_of_timer(stage: &Stage) -> [String; 2] {
    ["UnitFileState", "ActiveState"].map(|name| stage.host.property(TIMER, name).unwrap())
}

fn version(stage: &Stage) -> String {
    stage.banger(&["--version"]).unwrap().ok().unwrap()
}

fn start(stage: &Stage) -> bool {
    let output = stage.host.shell(&format!("systemctl start {SERVICE}"));
    output.unwrap().code == Some(0)
}

#[test]
fn updates_without_a_person_are_those_that_a_person_would_get() {
    let stage = Stage::installed("0.1.0").unwrap();
    assert_eq!(state_of_timer(&stage), ["disabled", "inactive"]);
    let status = stage.banger(&["system", "status"]).unwrap().text();
    assert!(!status.contains("banger-update"), "{status}");
    let guest = stage.run_guest("web").unwrap();
    // what the timer starts, the test starts itself: the timer's own hour must not fall into it
    let never = "[Timer]\nOnCalendar=\nOnCalendar=2099-01-01\n";
    let place = format!("/etc/systemd/system/{TIMER}.d/never.conf");
    stage.host.write(place, never).unwrap();

    let install = |words: &[&str]| {
        let words = [&["system", "install"], words].concat();
        stage.banger(&words).unwrap().ok().unwrap()
    };
    install(&["--auto-update"]);
    assert_eq!(state_of_timer(&stage), ["enabled", "active"]);
    let next = stage.host.property(TIMER, "NextElapseUSecRealtime");
    assert!(next.unwrap().contains("2099"));
    let status = stage.banger(&["system", "status"]).unwrap().text();
    assert!(status.contains("updates once a day"), "{status}");
    assert!(!status.contains("does not answer"), "{status}");
    let said = install(&[]);
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(state_of_timer(&stage), ["enabled", "active"]);
    // somebody's hand is seen and mended
    stage
        .host
        .shell(&format!("systemctl disable --now {TIMER}"))
        .unwrap()
        .ok()
        .unwrap();
    let status = stage.banger(&["system", "status"]).unwrap().text();
    assert!(status.contains(TIMER), "{status}");
    install(&[]);
    assert_eq!(state_of_timer(&stage), ["enabled", "active"]);

    stage.publish("0.1.1").unwrap();
    assert!(start(&stage));
    assert_eq!(version(&stage), "banger 0.1.1");
    stage.check_untouched(&guest).unwrap();

    // a release that fails is tried once, not day after day
    let broken = stage.releases.broken().unwrap();
    stage.releases.publish(&broken).unwrap();
    assert!(!start(&stage));
    assert_eq!(version(&stage), "banger 0.1.1");
    let helper = || stage.host.property("bangerd-root.service", "MainPID");
    let pid = helper().unwrap();
    assert!(start(&stage));
    assert_eq!(helper().unwrap(), pid, "it was tried again");
    let update = stage.banger(&["update", "--yes"]).unwrap();
    let said = update.ok().unwrap();
    let by_name = format!("sudo banger update --version {BROKEN_VERSION}");
    assert!(said.contains(&by_name), "{said}");
    assert_eq!(helper().unwrap(), pid, "it was tried again");
    stage.check_untouched(&guest).unwrap();

    install(&["--auto-update=off"]);
    assert_eq!(state_of_timer(&stage), ["disabled", "inactive"]);
    stage.check_untouched(&guest).unwrap();
}
