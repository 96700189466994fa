//! Guests that end while something is done to the services: what explains itself blames nobody, and
//! nothing else passes.

use banger_tests::support::bad::{Bad, GUEST};
use banger_tests::support::releases::BROKEN_VERSION;
use banger_tests::support::stage::Stage;

const OLD: &str = "0.1.0";
const UPDATE: [&str; 4] = ["update", "--yes", "--version", BROKEN_VERSION];

/// A host with [`OLD`] installed, to which a release with such a daemon is offered.
fn stage(bad: Bad) -> Stage {
    let stage = Stage::installed(OLD).unwrap();
    let release = stage.releases.bad(bad).unwrap();
    stage.releases.publish(&release).unwrap();
    stage
}

fn version(stage: &Stage) -> String {
    stage.banger(&["--version"]).unwrap().ok().unwrap()
}

/// Without this a test of a bad daemon may have seen a sound one.
fn check_journal(stage: &Stage, bad: Bad, words: &str) {
    let journal = stage.host.journal(Some(bad.unit())).unwrap();
    assert!(journal.contains(&bad.confession()), "{journal}");
    assert!(journal.contains(words), "{journal}");
}

#[test]
fn a_guest_that_its_owner_stops_during_an_update_or_a_restart_blames_nobody() {
    let stage = stage(Bad::AsksForStop);
    let other = stage.run_guest("db").unwrap();
    stage.run_guest(GUEST).unwrap();
    let said = stage.banger(&UPDATE).unwrap().ok().unwrap();
    check_journal(&stage, Bad::AsksForStop, "web was stopped");
    let told = format!("{GUEST}: stopped on request during the update");
    assert!(said.contains(&told), "{said}");
    assert_eq!(version(&stage), format!("banger {BROKEN_VERSION}"));
    stage.check_untouched(&other).unwrap();

    stage
        .banger_as_owner(&["vm", "delete", GUEST])
        .unwrap()
        .ok()
        .unwrap();
    stage.run_guest(GUEST).unwrap();
    let said = stage.banger(&["system", "restart"]).unwrap().ok().unwrap();
    let told = format!("{GUEST}: stopped on request during the restart");
    assert!(said.contains(&told), "{said}");
    stage.check_untouched(&other).unwrap();
}

#[test]
fn a_release_that_kills_guests_is_rolled_back_and_not_tried_again() {
    let stage = stage(Bad::KillsGuests);
    stage.run_guest(GUEST).unwrap();
    let update = stage.banger(&UPDATE).unwrap();
    check_journal(&stage, Bad::KillsGuests, "web was killed");
    update.exited(9).unwrap();
    let lost = format!("no longer alive: {GUEST}");
    assert!(update.text().contains(&lost), "{}", update.text());
    assert_eq!(version(&stage), format!("banger {OLD}"));
    let again = stage.banger(&["update", "--yes"]).unwrap().ok().unwrap();
    assert!(again.contains("was rolled back here"), "{again}");
    assert_eq!(version(&stage), format!("banger {OLD}"));
}

#[test]
fn a_restart_in_which_a_guest_is_killed_fails() {
    let stage = stage(Bad::KillsGuests);
    stage.banger(&UPDATE).unwrap().ok().unwrap();
    stage.run_guest(GUEST).unwrap();
    let restart = stage.banger(&["system", "restart"]).unwrap();
    check_journal(&stage, Bad::KillsGuests, "web was killed");
    restart.exited(9).unwrap();
    let lost = format!("no longer alive: {GUEST}");
    assert!(restart.text().contains(&lost), "{}", restart.text());
}
