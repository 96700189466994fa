//! What a client of the raw socket sees of a restart: it connects anew for each request, sends it
//! byte by byte, and never asks twice.
//!
//! A socket of systemd's keeps what was not accepted yet; what was accepted is the daemon's to answer
//! before it exits, and the next daemon must not answer before it knows what it is asked about.

use std::time::Duration;

use banger_tests::support::api::{Client, Daemon};
use banger_tests::support::stage::{OWNER, Stage};

const RESTARTS: usize = 20;
const BETWEEN: Duration = Duration::from_secs(1);

/// Restarts a service again and again while clients ask `daemon`; gives what came of it.
fn restart_under_clients(unit: &str, daemon: Daemon, user: &str) -> String {
    let (stage, guest) = Stage::with_guest("0.1.0").unwrap();
    let client = Client::raw(&stage.host, user, daemon, "web").unwrap();
    let mut pids = vec![stage.host.property(unit, "MainPID").unwrap()];
    for _ in 0..RESTARTS {
        std::thread::sleep(BETWEEN);
        let line = format!("systemctl restart {unit}");
        stage.host.shell(&line).unwrap().ok().unwrap();
        pids.push(stage.host.property(unit, "MainPID").unwrap());
    }
    let tally = client.stop().unwrap();
    pids.dedup();
    assert_eq!(
        pids.len(),
        RESTARTS + 1,
        "{unit} was not restarted: {pids:?}"
    );
    assert_eq!(tally.failed, 0, "{tally:?}");
    assert!(tally.requests > 100, "{tally:?}");
    stage.check_untouched(&guest).unwrap();
    format!(
        "{RESTARTS} restarts of {unit}: {} requests, none dropped, none answered too early",
        tally.requests
    )
}

#[test]
fn the_owner_daemon_answers_what_it_accepted_before_it_exits_and_nothing_before_it_is_ready() {
    println!(
        "{}",
        restart_under_clients("bangerd.service", Daemon::Owner, OWNER)
    );
}

#[test]
fn the_helper_answers_what_it_accepted_before_it_exits_and_nothing_before_it_is_ready() {
    println!(
        "{}",
        restart_under_clients("bangerd-root.service", Daemon::Helper, "root")
    );
}

#[test]
fn a_restart_of_the_helper_drops_nothing_of_the_owner_daemon_that_asks_it() {
    println!(
        "{}",
        restart_under_clients("bangerd-root.service", Daemon::Owner, OWNER)
    );
}
