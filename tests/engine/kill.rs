//! The toolkit is killed, by SIGKILL at every system call by which it changes anything, on a real
//! systemd; whichever command comes next finds the host wholly old or wholly new.
//!
//! By itself a test leaves out most of the calls that only write what nobody reads yet; none are left out
//! with `BANGER_KILL_EVERY=1`, which CONTRIBUTING.md tells of.
//!
//! The work is done by `kill.sh` on the host: a thousand kills leave no time for a way in and out.

use crate::toy::Toy;

/// Without its rescue unit, which would be faster than the next command.
fn without_rescue() -> Toy {
    let toy = Toy::new();
    toy.keep_rescue_away();
    toy.host
        .write("/root/kill.sh", include_str!("kill.sh"))
        .unwrap();
    toy
}

/// Of so many calls that write what nobody reads yet, the toolkit is killed at one.
const EVERY: &str = "BANGER_KILL_EVERY";

/// [`EVERY`] where nobody says otherwise.
const SELDOM: usize = 12;

fn every() -> Option<usize> {
    std::env::var(EVERY).ok().map(|text| text.parse().unwrap())
}

fn kill_everywhere(operation: &str, at_least: usize) {
    kill(&without_rescue(), operation, operation, 1, at_least);
}

/// Kills an operation at its calls, and says what was counted. Where nobody says otherwise, at one of
/// `names` of those by which a name comes, goes or leads elsewhere.
fn kill(toy: &Toy, name: &str, operation: &str, names: usize, at_least: usize) {
    let (every, names) = every().map_or((SELDOM, names), |every| (every, 1));
    let line = format!("sh /root/kill.sh {operation} {every} {names}");
    let told = toy.host.shell(&line).unwrap();
    assert!(told.success(), "{name}: {}", told.text());
    let counts = told.stdout.trim();
    println!("{name}, one of {every} writes, one of {names} names: {counts}");
    let killed: usize = counts.split(' ').next().unwrap().parse().unwrap();
    assert!(killed >= at_least, "{name}: only {killed} kills");
}

/// An update from a version of one set to one of another, and its rollback.
fn kill_between(first: &str, second: &str) {
    let toy = without_rescue();
    let script = include_str!("sets.sh");
    toy.host.write("/root/sets.sh", script).unwrap();
    toy.shell(&format!(
        "sh /root/sets.sh 0.1.0 {first} && sh /root/sets.sh 0.1.1 {second}"
    ));
    for operation in ["update", "rollback"] {
        let name = format!("{operation} between {first} and {second}");
        kill(&toy, &name, operation, 4, 15);
    }
}

#[test]
fn an_install_killed_at_any_call_is_whole_or_gone_and_an_uninstall_leaves_nothing() {
    kill_everywhere("install", 30);
}

#[test]
fn an_update_killed_at_any_call_is_wholly_old_or_wholly_new() {
    kill_everywhere("update", 30);
}

#[test]
fn a_rollback_killed_at_any_call_is_wholly_old_or_wholly_new() {
    kill_everywhere("rollback", 30);
}

#[test]
fn an_uninstall_killed_at_any_call_is_undone_or_whole() {
    kill_everywhere("uninstall", 30);
}

#[test]
fn a_change_to_a_wider_set_killed_at_any_call_is_wholly_old_or_wholly_new() {
    kill_between("plain", "wide");
}

#[test]
fn a_change_to_a_narrower_set_killed_at_any_call_is_wholly_old_or_wholly_new() {
    kill_between("wide", "plain");
}
