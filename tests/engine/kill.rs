//! The toolkit is killed, by SIGKILL at every system call by which it changes anything, on a real
//! systemd; whichever command comes next finds the host wholly old or wholly new.
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

fn kill_everywhere(operation: &str, at_least: usize) {
    let toy = without_rescue();
    let told = toy.host.shell(&format!("sh /root/kill.sh {operation}"));
    let told = told.unwrap();
    assert!(told.success(), "{}", told.text());
    let counts = told.stdout.trim();
    println!("{operation}: {counts}");
    let killed: usize = counts.split(' ').next().unwrap().parse().unwrap();
    assert!(killed >= at_least, "only {killed} kills");
}

#[test]
fn an_install_killed_at_any_call_is_whole_or_gone_and_an_uninstall_leaves_nothing() {
    kill_everywhere("install", 100);
}

#[test]
fn an_update_killed_at_any_call_is_wholly_old_or_wholly_new() {
    kill_everywhere("update", 100);
}

#[test]
fn a_rollback_killed_at_any_call_is_wholly_old_or_wholly_new() {
    kill_everywhere("rollback", 100);
}

#[test]
fn an_uninstall_killed_at_any_call_is_undone_or_whole() {
    kill_everywhere("uninstall", 100);
}
