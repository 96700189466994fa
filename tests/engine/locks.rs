//! One run at a time, however many come, and none whose holder is gone keeps the next one out.

use banger_tests::support::command;
use banger_tests::support::race::{Race, holder_of};

use crate::toy::{Toy, WAITING};

/// How many updates come at once.
const RUNNERS: usize = 50;

#[test]
fn of_fifty_updates_at_once_one_runs_and_the_others_are_told_who() {
    let toy = Toy::installed();
    let child = toy.child();
    toy.make_waiting_release();
    let line = format!("/usr/local/sbin/toy update /root/{WAITING} {WAITING}");
    let race = Race::start(&toy.host, RUNNERS, &line).unwrap();
    // the one that runs cannot end: who has ended did not wait for it
    let runners = race.wait_for_ends(RUNNERS - 1, 30).unwrap();
    let (holder, left): (Vec<_>, Vec<_>) = runners.iter().partition(|runner| runner.end.is_none());
    assert_eq!(holder.len(), 1, "{runners:?}");
    let named = format!("another operation is in progress (pid {})", holder[0].pid);
    for runner in &left {
        assert!(runner.said.contains(&named), "no {named:?}: {runner:?}");
        assert_ne!(runner.end.unwrap().0, 0, "{runner:?}");
    }
    let slowest = left.iter().map(|runner| runner.end.unwrap().1).max();
    toy.shell("touch /root/go");
    let runners = race.wait_for_ends(RUNNERS, 60).unwrap();
    let codes: Vec<i32> = runners.iter().map(|runner| runner.end.unwrap().0).collect();
    assert_eq!(
        codes.iter().filter(|code| **code == 0).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(toy.answer(), WAITING);
    assert_eq!(toy.child(), child);
    println!(
        "{RUNNERS} updates at once: 1 ran, {} left, the slowest after {} ms",
        left.len(),
        slowest.unwrap()
    );
}

#[test]
fn a_killed_holder_keeps_nobody_out_and_its_run_is_rolled_back() {
    let toy = Toy::installed();
    let child = toy.child();
    let before = toy.tree();
    let race = toy.update_in_the_middle();
    let holder = toy.shell(&holder_of("/run/toy-install.lock"));
    toy.shell(&format!("kill -KILL {holder}"));
    let killed = race.wait_for_ends(1, 30).unwrap();
    assert_eq!(killed[0].end.unwrap().0, 128 + 9, "{killed:?}");
    assert_eq!(killed[0].pid.to_string(), holder);

    // this command takes it back, or the rescue unit does before it
    command::wait_for("a command that gets the lock", 60, || {
        let next = toy.run("restart");
        if next.success() {
            return Ok(());
        }
        assert!(next.stderr.contains("in progress"), "{}", next.text());
        Err(next.text())
    })
    .unwrap();
    assert_eq!(toy.tree(), before);
    assert_eq!(toy.answer(), "0.1.0");
    assert_eq!(toy.child(), child);
    toy.update("0.1.1").ok().unwrap();
    assert_eq!(toy.answer(), "0.1.1");
    assert_eq!(toy.child(), child);
}
