//! A service that runs as another user than root: what that user does to its processes is not held
//! against a version, and what its program does is.

use super::machine::{Deed, Machine};
use crate::ErrorKind;
use crate::toolkit::Rescued;

const BY_THE_OWNER: [Deed; 6] = [
    Deed::Killed,
    Deed::KilledAtStart,
    Deed::Stopped,
    Deed::StoppedAtStart,
    Deed::Replaced,
    Deed::Answered,
];

const BY_THE_PROGRAM: [Deed; 3] = [Deed::Crashes, Deed::ExitsAtStart, Deed::Silent];

fn installed(user: &str) -> Machine {
    let machine = Machine::installed("0.1.0");
    machine.run_as(user);
    machine
}

#[test]
fn what_the_owner_does_to_her_daemon_rolls_no_update_back() {
    for deed in BY_THE_OWNER {
        let machine = installed("alice");
        machine.let_service(deed);
        let updated = machine.update("0.1.1");
        updated.unwrap_or_else(|error| panic!("{deed:?}: {error}"));
        assert_eq!(machine.running().as_deref(), Some("0.1.1"), "{deed:?}");
        assert!(!machine.remembers_a_failure(), "{deed:?}");
        let passed = machine.rescue().expect("a watch");
        assert!(matches!(passed, Rescued::Passed(_)), "{deed:?}: {passed:?}");
        machine.restart().expect("a restart goes on, too");
    }
}

#[test]
fn what_her_daemons_program_does_rolls_back() {
    for deed in BY_THE_PROGRAM {
        let machine = installed("alice");
        machine.let_service(deed);
        let error = machine.update("0.1.1").expect_err("a bad release");
        assert_eq!(error.kind(), ErrorKind::RolledBack, "{deed:?}: {error}");
        assert_eq!(machine.running().as_deref(), Some("0.1.0"), "{deed:?}");
        assert!(machine.remembers_a_failure(), "{deed:?}");
    }
}

#[test]
fn a_daemon_of_the_owners_that_fails_on_probation_is_rolled_back() {
    for deed in BY_THE_PROGRAM {
        let machine = installed("alice");
        machine.update("0.1.1").expect("the update");
        machine.let_service(deed);
        let rescued = machine.rescue().expect("a watch");
        let back = matches!(rescued, Rescued::RolledBack { .. });
        assert!(back, "{deed:?}: {rescued:?}");
        assert_eq!(machine.running().as_deref(), Some("0.1.0"), "{deed:?}");
    }
}

#[test]
fn what_the_owner_does_on_probation_rolls_nothing_back() {
    for deed in BY_THE_OWNER {
        let machine = installed("alice");
        machine.update("0.1.1").expect("the update");
        machine.let_service(deed);
        let rescued = machine.rescue().expect("a watch");
        assert!(
            matches!(rescued, Rescued::Passed(_)),
            "{deed:?}: {rescued:?}"
        );
    }
}

#[test]
fn a_service_of_roots_is_held_to_everything() {
    for deed in BY_THE_OWNER.into_iter().chain(BY_THE_PROGRAM) {
        let machine = installed("");
        machine.let_service(deed);
        let error = machine.update("0.1.1").expect_err("it is not well");
        assert_eq!(error.kind(), ErrorKind::RolledBack, "{deed:?}: {error}");
        assert_eq!(machine.running().as_deref(), Some("0.1.0"), "{deed:?}");
    }
}
