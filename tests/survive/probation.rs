//! A probation that a drop-in of the rescue unit shortens, as an administrator would: what is shown
//! needs its end, not its minute.

use banger_tests::support::stage::Stage;

const RESCUE: &str = "banger-rescue.service";
const SECONDS: u64 = 15;

/// From now on a new version is on probation for [`SECONDS`].
pub(crate) fn shorten(stage: &Stage) {
    let drop_in = format!("/etc/systemd/system/{RESCUE}.d/probation.conf");
    let text = format!("[Service]\nEnvironment=BANGER_PROBATION_SECONDS={SECONDS}\n");
    stage.host.write(&drop_in, text).unwrap();
    let reload = ["systemctl", "daemon-reload"];
    stage.host.run(reload).unwrap().ok().unwrap();
}

/// A probation is over, and lasted as long as the drop-in said: without this, a test may have seen
/// the end of a watch that had nothing to do.
pub(crate) fn check_shortened(stage: &Stage) {
    let said = stage.host.journal(Some(RESCUE)).unwrap();
    let end = format!(" for {SECONDS} s: ");
    assert!(said.contains(&end), "no {end:?} in {said}");
}
