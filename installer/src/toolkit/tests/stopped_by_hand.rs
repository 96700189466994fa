//! A service that an administrator stops while its version is on probation.

use super::machine::Machine;
use crate::report::{Event, Report};
use crate::toolkit::Rescued;

const SERVICE: &str = "toyd.service";

/// The units of which it is told that somebody stopped them.
#[derive(Default)]
struct Told(Vec<String>);

impl Report for Told {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::StoppedByHand { unit } = event {
            self.0.push(unit.to_string());
        }
    }
}

fn updated(user: &str) -> Machine {
    let machine = Machine::installed("0.1.0");
    machine.run_as(user);
    machine.update("0.1.1").expect("the update");
    machine
}

#[test]
fn a_stop_by_hand_holds_up_the_probation_and_is_told_once() {
    for user in ["", "alice"] {
        let machine = updated(user);
        machine.stop_unit(SERVICE);
        machine.asked();
        // far longer than the whole probation
        machine.interrupt_after_pauses(2000);
        let mut told = Told::default();
        let rescued = machine.rescue_told(&mut told).expect("a watch");
        assert_eq!(rescued, Rescued::Interrupted, "{user:?}");
        assert_eq!(told.0, [SERVICE], "{user:?}");
        // a question would start it again, by its socket
        assert!(machine.asked().iter().all(|asked| *asked == 0), "{user:?}");
        assert!(machine.probation().exists(), "{user:?}");
        assert_eq!(machine.running(), None, "{user:?}");
        assert!(!machine.remembers_a_failure(), "{user:?}");

        machine.start_unit(SERVICE);
        machine.never_interrupt();
        let rescued = machine.rescue_told(&mut told).expect("a watch");
        assert!(matches!(rescued, Rescued::Passed(_)), "{user:?}");
        assert_eq!(machine.running().as_deref(), Some("0.1.1"), "{user:?}");
    }
}

#[test]
fn a_stop_by_hand_hides_no_failure_of_another_service() {
    let machine = Machine::new().with_two_services();
    machine.set_up("0.1.0");
    machine.update("0.1.1").expect("the update");
    machine.stop_unit("toyd-twin.service");
    machine.mute("0.1.1");
    let rescued = machine.rescue().expect("a watch");
    assert!(matches!(rescued, Rescued::RolledBack { .. }), "{rescued:?}");
    assert_eq!(machine.running().as_deref(), Some("0.1.0"));
}

#[test]
fn a_service_that_ends_by_itself_in_order_has_failed() {
    let machine = updated("");
    machine.let_service_leave();
    // a watch that waits for it would have no end
    machine.interrupt_after_pauses(2000);
    let rescued = machine.rescue().expect("a watch");
    assert!(matches!(rescued, Rescued::RolledBack { .. }), "{rescued:?}");
    let machine = updated("");
    // and so has one that did before somebody stopped it
    machine.let_service_die();
    machine.stop_unit(SERVICE);
    let rescued = machine.rescue().expect("a watch");
    assert!(matches!(rescued, Rescued::RolledBack { .. }), "{rescued:?}");
}
