//! One `banger update` at a time: exit code 8 and the holder's pid for all others, and a holder that
//! is killed keeps nobody out.

use banger_tests::support::command;
use banger_tests::support::programs;
use banger_tests::support::race::{Race, Runner, holder_of};
use banger_tests::support::releases::Releases;
use banger_tests::support::stage::Stage;

/// The daemons of release 0.1.1 come up when this is there: an update to it stays in the middle.
const GO: &str = "/usr/local/libexec/go";
const DAEMON: &str = "/usr/local/libexec/bangerd-0.1.1";

/// How many updates come at once.
const RUNNERS: usize = 50;

const UPDATE: &str = "/usr/local/bin/banger update --yes";

/// A host with 0.1.0 on it, which is offered the waiting release.
fn stage() -> Stage {
    let releases = Releases::new().unwrap();
    let first = releases.sound("0.1.0").unwrap();
    let script = format!(
        "#!/bin/sh\n\
         case $1 in --version) echo bangerd 0.1.1; exit ;; --check-state) exit 2 ;; esac\n\
         while [ ! -e {GO} ]; do sleep 0.02; done\n\
         exec {DAEMON} \"$@\"\n"
    );
    let waiting = releases.scripted("0.1.1", &script).unwrap();
    releases.publish(&waiting).unwrap();
    let stage = Stage::new(releases).unwrap();
    let sound = programs::banger("0.1.1").unwrap().join("bangerd");
    stage.host.copy(&sound, DAEMON).unwrap();
    stage.install(&first).unwrap().ok().unwrap();
    stage
}

fn wait_for_the_middle(stage: &Stage) {
    command::wait_for("the update to be in the middle", 30, || {
        let activity = stage.host.property("bangerd-root.service", "ActiveState");
        match activity.as_deref() {
            Ok("activating") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .unwrap();
}

fn code(runner: &Runner) -> i32 {
    runner.end.unwrap().0
}

#[test]
fn of_fifty_updates_at_once_one_runs_even_when_the_one_before_was_killed() {
    let stage = stage();
    let guest = stage.run_guest("web").unwrap();

    let race = Race::start(&stage.host, 1, UPDATE).unwrap();
    wait_for_the_middle(&stage);
    let read = stage
        .host
        .shell(&holder_of("/run/banger-install.lock"))
        .unwrap();
    let holder = read.ok().unwrap();
    let kill = stage.host.run(["kill", "-KILL", &holder]).unwrap();
    kill.ok().unwrap();
    let killed = race.wait_for_ends(1, 30).unwrap();
    assert_eq!(code(&killed[0]), 128 + 9, "{killed:?}");
    assert_eq!(killed[0].pid.to_string(), holder);

    // the lock is free with its holder's death: the rescue unit rolls the operation back by itself
    command::wait_for("the end of the rescue", 30, || {
        let journal = stage.host.path("/var/lib/banger-install/journal.json");
        let active = stage.host.property("banger-rescue.service", "ActiveState");
        match active.as_deref() {
            Ok("inactive") if !journal.exists() => Ok(()),
            other => Err(format!("{other:?}, journal: {}", journal.exists())),
        }
    })
    .unwrap();
    let version = stage.banger(&["--version"]).unwrap().ok().unwrap();
    assert_eq!(version, "banger 0.1.0");
    stage.check_untouched(&guest).unwrap();

    // the one that runs cannot end: who has ended did not wait for it
    let race = Race::start(&stage.host, RUNNERS, UPDATE).unwrap();
    let runners = race.wait_for_ends(RUNNERS - 1, 60).unwrap();
    let (holder, left): (Vec<_>, Vec<_>) = runners.iter().partition(|runner| runner.end.is_none());
    assert_eq!(holder.len(), 1, "{runners:?}");
    let named = format!("another operation is in progress (pid {})", holder[0].pid);
    for runner in &left {
        assert_eq!(code(runner), 8, "{runner:?}");
        assert!(runner.said.contains(&named), "no {named:?}: {runner:?}");
        assert!(runner.said.contains("hint"), "{runner:?}");
    }
    let slowest = left.iter().map(|runner| runner.end.unwrap().1).max();
    stage.host.write(GO, "").unwrap();
    let runners = race.wait_for_ends(RUNNERS, 90).unwrap();
    let winners: Vec<&Runner> = runners.iter().filter(|runner| code(runner) == 0).collect();
    assert_eq!(winners.len(), 1, "{runners:?}");
    let version = stage.banger(&["--version"]).unwrap().ok().unwrap();
    assert_eq!(version, "banger 0.1.1");
    stage.check_untouched(&guest).unwrap();
    println!(
        "{RUNNERS} updates at once: 1 ran, {} left, the slowest after {} ms",
        left.len(),
        slowest.unwrap()
    );
}
