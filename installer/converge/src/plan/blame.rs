//! Whether a service that does not answer is to blame for it, or the user whom it runs as.
//!
//! Guarantees: pure. A service that runs as root is its program's alone. The processes of one that
//! runs as another user are that user's, who may stop them, end them and listen in their place: there
//! it takes evidence that the program itself failed before a version is held to blame.

use std::time::Duration;

use crate::model::ServiceFacts;

/// How long a process must have run without an answer before its silence is its own.
pub const SILENCE: Duration = Duration::from_secs(3);

/// What was seen beside systemd's own facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outside {
    /// The main process is stopped (`SIGSTOP`) or traced.
    pub stopped: bool,
    /// Somebody else than the service manager listens on the socket, or a process other than the
    /// main one answers.
    pub foreign: bool,
}

/// What a look at a silent service shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// The program failed: it exited, crashed, or was not ready in time.
    Failed(String),
    /// It has run so long, stopped by nobody, and not answered.
    Silent(Duration),
    /// Somebody other than the program is the reason.
    Outside(String),
    /// It does not run, and nothing says why.
    None,
}

/// What has been seen of a silent service so far.
#[derive(Debug, Clone, Default)]
pub struct Inquiry {
    /// The process that runs without an answer, and since when it is seen to.
    running: Option<(u32, Duration)>,
    was_seen_running: bool,
    was_stopped: bool,
    outside: Option<String>,
}

impl Inquiry {
    /// Takes another look into account, made at `now`.
    pub fn look(&mut self, now: Duration, service: &ServiceFacts, outside: Outside) -> Evidence {
        self.was_stopped |= outside.stopped;
        let watched = self.was_seen_running && !self.was_stopped;
        if let Some(why) = own_failure(service, watched) {
            return Evidence::Failed(why);
        }
        if let Some(why) = reason_outside(service, outside) {
            self.running = None;
            self.outside = Some(why.clone());
            return Evidence::Outside(why);
        }
        let pid = service.main_pid;
        if pid == 0 {
            self.running = None;
            return Evidence::None;
        }
        let since = match self.running {
            Some((known, since)) if known == pid => since,
            _ => now,
        };
        self.running = Some((pid, since));
        self.was_seen_running = true;
        Evidence::Silent(now.saturating_sub(since))
    }

    /// What was seen of a reason outside of the program.
    pub fn outside(&self) -> &str {
        self.outside
            .as_deref()
            .unwrap_or("its process came and went, and nothing says why")
    }
}

/// `si_code` of a child's end, sigaction(2).
const EXITED: i32 = 1;
const KILLED: i32 = 2;
const DUMPED: i32 = 3;

/// What shows that the program itself failed: only while it does not run, since systemd forgets at
/// the next start. That it was not ready in time counts where it was `watched`, and so is known not to
/// have been stopped meanwhile.
fn own_failure(service: &ServiceFacts, watched: bool) -> Option<String> {
    let status = service.main_status;
    match service.main_code {
        EXITED if status != 0 => Some(format!("it exited with status {status}")),
        KILLED | DUMPED if is_crash(status) => Some(format!("it crashed ({})", signal(status))),
        _ if service.result == "timeout" && watched => Some("it was not ready in time".into()),
        _ => None,
    }
}

fn reason_outside(service: &ServiceFacts, outside: Outside) -> Option<String> {
    if outside.foreign {
        return Some("somebody else answers in its place".into());
    }
    if outside.stopped {
        return Some("its process is stopped".into());
    }
    let status = service.main_status;
    match service.main_code {
        // ended by systemd, which says nothing of the reason
        _ if service.result == "timeout" => None,
        EXITED => Some("it was asked to end".into()),
        KILLED | DUMPED => Some(format!("it was ended by {}", signal(status))),
        _ => None,
    }
}

/// Signals that a program brings upon itself, signal(7), by their numbers on every architecture that
/// releases are made for.
fn is_crash(signal: i32) -> bool {
    // SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS
    matches!(signal, 4 | 5 | 6 | 7 | 8 | 11 | 31)
}

fn signal(number: i32) -> String {
    let name = match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        31 => "SIGSYS",
        _ => return format!("signal {number}"),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(main_code: i32, main_status: i32, result: &str) -> ServiceFacts {
        ServiceFacts {
            main_code,
            main_status,
            result: result.into(),
            ..ServiceFacts::default()
        }
    }

    fn runs(main_pid: u32) -> ServiceFacts {
        ServiceFacts {
            main_pid,
            ..ServiceFacts::default()
        }
    }

    fn first(service: &ServiceFacts, outside: Outside) -> Evidence {
        Inquiry::default().look(Duration::ZERO, service, outside)
    }

    const NOTHING: Outside = Outside {
        stopped: false,
        foreign: false,
    };

    #[test]
    fn what_a_program_does_to_itself_is_its_failure() {
        for service in [
            ended(EXITED, 1, "exit-code"),
            ended(EXITED, 78, "exit-code"),
            ended(DUMPED, 11, "core-dump"),
            ended(KILLED, 31, "signal"),
            ended(KILLED, 6, "signal"),
        ] {
            let seen = first(&service, NOTHING);
            assert!(matches!(seen, Evidence::Failed(_)), "{service:?}: {seen:?}");
        }
    }

    #[test]
    fn what_somebody_does_to_it_is_not() {
        for signal in [1, 2, 3, 9, 15] {
            let service = ended(KILLED, signal, "signal");
            let seen = first(&service, NOTHING);
            assert!(matches!(seen, Evidence::Outside(_)), "{signal}: {seen:?}");
        }
        // SIGTERM to a program that then exits in order
        let asked = first(&ended(EXITED, 0, "success"), NOTHING);
        assert!(matches!(asked, Evidence::Outside(_)), "{asked:?}");
        let stopped = Outside {
            stopped: true,
            ..NOTHING
        };
        assert!(matches!(first(&runs(7), stopped), Evidence::Outside(_)));
        let foreign = Outside {
            foreign: true,
            ..NOTHING
        };
        assert!(matches!(first(&runs(7), foreign), Evidence::Outside(_)));
    }

    #[test]
    fn a_process_that_was_stopped_may_be_late() {
        let mut inquiry = Inquiry::default();
        let stopped = Outside {
            stopped: true,
            ..NOTHING
        };
        inquiry.look(Duration::ZERO, &runs(7), stopped);
        let late = ended(KILLED, 15, "timeout");
        let second = Duration::from_secs;
        assert_eq!(inquiry.look(second(30), &late, NOTHING), Evidence::None);
        // nobody knows what was before the first look
        assert_eq!(first(&late, NOTHING), Evidence::None);
        let mut inquiry = Inquiry::default();
        inquiry.look(second(0), &runs(7), NOTHING);
        let seen = inquiry.look(second(30), &late, NOTHING);
        assert!(matches!(seen, Evidence::Failed(_)), "{seen:?}");
    }

    #[test]
    fn silence_counts_from_the_first_look_at_the_same_process() {
        let mut inquiry = Inquiry::default();
        let second = Duration::from_secs;
        let silent = |time| Evidence::Silent(second(time));
        assert_eq!(inquiry.look(second(1), &runs(7), NOTHING), silent(0));
        assert_eq!(inquiry.look(second(4), &runs(7), NOTHING), silent(3));
        // another process begins anew, and so does one that was stopped in between
        assert_eq!(inquiry.look(second(5), &runs(8), NOTHING), silent(0));
        let stopped = Outside {
            stopped: true,
            ..NOTHING
        };
        inquiry.look(second(6), &runs(8), stopped);
        assert_eq!(inquiry.look(second(9), &runs(8), NOTHING), silent(0));
    }
}
