//! What is measured while services are replaced, with a client whose answers the test chooses.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::machine::Machine;
use crate::effect::BoxError;
use crate::plan::Step;
use crate::toolkit::{Event, Outcome, Probe, Report, Silent, Waits};

#[derive(Clone, Copy)]
enum Answer {
    Good,
    Bad,
    Never,
}

/// A client that says when it asks.
struct Client {
    answer: Answer,
    asked: AtomicU64,
    tells: Mutex<Sender<()>>,
    /// Nothing comes out of it before the test is over.
    held: Mutex<Receiver<()>>,
}

impl Probe for Client {
    fn ask(&self) -> Result<(), BoxError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let _ = self.tells.lock().expect("a lock").send(());
        match self.answer {
            Answer::Good => Ok(()),
            Answer::Bad => Err("nobody is there".into()),
            Answer::Never => {
                let _ = self.held.lock().expect("a lock").recv();
                Ok(())
            }
        }
    }
}

/// Holds up the restart until the client has asked so many times. When it asks again, its request before
/// was answered and counted.
struct AfterAsked {
    told: Receiver<()>,
    times: usize,
}

impl Report for AfterAsked {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::StepStarted { step, .. } = event
            && matches!(step, Step::RestartUnits(_))
        {
            for _ in 0..self.times {
                let asked = self.told.recv_timeout(Duration::from_secs(30));
                asked.expect("it asks before anything is restarted");
            }
        }
    }
}

fn client(answer: Answer) -> (Arc<Client>, Receiver<()>, Sender<()>) {
    let (tells, told) = channel();
    let (release, held) = channel();
    let client = Client {
        answer,
        asked: AtomicU64::new(0),
        tells: Mutex::new(tells),
        held: Mutex::new(held),
    };
    (Arc::new(client), told, release)
}

fn waits(outcome: Outcome) -> Option<Waits> {
    match outcome {
        Outcome::Changed(summary) => summary.waits,
        Outcome::Unchanged => panic!("nothing was done"),
    }
}

/// A restart, with a client whose requests are answered like this.
fn measured(answer: Answer) -> Waits {
    let machine = Machine::installed("0.1.0");
    let (client, told, _release) = client(answer);
    let times = if matches!(answer, Answer::Never) {
        1
    } else {
        2
    };
    let outcome = machine.restart_measured(client, &mut AfterAsked { told, times });
    assert!(machine.child_lives());
    waits(outcome.expect("the restart")).expect("it was measured")
}

#[test]
fn requests_are_made_from_before_the_restart_on() {
    let waits = measured(Answer::Good);
    assert!(waits.requests > 0, "{waits:?}");
    assert_eq!((waits.failed, waits.first_failure), (0, None));
}

#[test]
fn requests_that_fail_are_counted_and_fail_no_operation() {
    let waits = measured(Answer::Bad);
    assert!(waits.failed > 0, "{waits:?}");
    assert_eq!(waits.first_failure.as_deref(), Some("nobody is there"));
}

#[test]
fn no_operation_waits_for_a_request_that_is_never_answered() {
    let waits = measured(Answer::Never);
    assert_eq!((waits.requests, waits.failed), (1, 0), "{waits:?}");
    assert!(!waits.longest.is_zero());
}

#[test]
fn nothing_is_asked_where_no_service_is_replaced() {
    let machine = Machine::installed("0.1.0");
    machine.remove("usr/local/bin/toyd");
    let (client, _told, _release) = client(Answer::Good);
    let asking = Arc::clone(&client);
    let outcome = machine.install_measured("0.1.0", asking, &mut Silent);
    assert_eq!(waits(outcome.expect("the install")), None);
    assert_eq!(client.asked.load(Ordering::SeqCst), 0);
}
