//! Many updates and rollbacks in a row, with guests that tick and a client that asks all the time.

use banger_tests::support::api;
use banger_tests::support::stage::{Guest, OWNER, Stage};

/// How many updates, and as many rollbacks; [`CYCLES`] when it is not set.
const VARIABLE: &str = "BANGER_CYCLES";
/// A tenth of what is run by hand: what two hundred show, twenty show in a run of everything.
const CYCLES: usize = 20;
const GUESTS: usize = 5;
const OFFER: &str = "/root/offer";
const DOORS: &str = "/run/banger/bangerd.sock /run/banger-root/bangerd-root.sock";

/// A host with 0.1.0, guests in it, and 0.1.1 in a folder.
fn stage() -> (Stage, Vec<Guest>) {
    let stage = Stage::installed("0.1.0").unwrap();
    stage.publish("0.1.1").unwrap();
    for entry in fs_err::read_dir(stage.releases.public()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        stage.host.copy(&path, format!("{OFFER}/{name}")).unwrap();
    }
    let guests = (0..GUESTS)
        .map(|number| stage.run_guest(&format!("guest-{number}")).unwrap())
        .collect();
    (stage, guests)
}

fn sockets(stage: &Stage) -> String {
    let line = format!("stat --format='%n %i' {DOORS}");
    stage.host.shell(&line).unwrap().ok().unwrap()
}

#[test]
fn guests_survive_many_updates_and_rollbacks() {
    let cycles = std::env::var(VARIABLE).map_or(CYCLES, |text| text.parse().unwrap());
    let (stage, guests) = stage();
    let before = sockets(&stage);
    let client = api::Client::paced(&stage.host, OWNER, 5).unwrap();
    for cycle in 0..cycles {
        // by its name: what was rolled back is not taken again by itself
        let up = ["--from", OFFER, "--version", "0.1.1"];
        for words in [up.as_slice(), &["--rollback"]] {
            let done = stage.banger(&[&["update", "--yes"], words].concat());
            let done = done.unwrap();
            assert!(done.success(), "cycle {cycle}: {}", done.text());
        }
    }
    let tally = client.stop().unwrap();
    for guest in &guests {
        stage.check_untouched(guest).unwrap();
    }
    assert_eq!(tally.failed, 0, "{tally:?}");
    assert_eq!(tally.versions, ["0.1.0", "0.1.1"], "{tally:?}");
    assert_eq!(sockets(&stage), before, "a socket was made anew");
    println!(
        "{cycles} updates and as many rollbacks under {GUESTS} guests; {} requests, one every 5 ms, \
         none failed; the longest wait was {} ms",
        tally.requests,
        tally.longest_wait_us / 1000
    );
}
