//! What was measured while the daemons were replaced: how long clients waited, and that each guest
//! is the process that it was.
//!
//! Guarantees: every line follows from what was seen; nothing is said of what was not measured.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use banger_installer::effect::BoxError;
use banger_installer::model::{End, ProtectedProcess};
use banger_installer::toolkit::{Outcome, Probe, Summary, Waits};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::Screen;
use crate::product::OWNER_SOCKET;
use crate::protocol::client::call_service;
use crate::protocol::{ListVms, OwnerRequest, VmList};

/// How long a request may take before it counts as failed: more than the daemons may take to stop and
/// to start.
const BOUND: Duration = Duration::from_secs(60);

/// A client that lists the VMs, as `banger vm list` does: the owner daemon asks the helper for them, so
/// that one request waits for both. Each has a connection of its own, on which it is sent at once,
/// so that no daemon waits for it when it is told to stop.
struct ApiClient(tokio::runtime::Runtime);

impl Probe for ApiClient {
    fn ask(&self) -> Result<(), BoxError> {
        let request = OwnerRequest::List(ListVms::default());
        let answer = call_service(Path::new(OWNER_SOCKET), request, BOUND);
        let _vms: VmList = self.0.block_on(answer)?;
        Ok(())
    }
}

/// What the kernel counts start times in for programs: `USER_HZ`, 100 wherever Firecracker runs
/// (time(7)).
const TICKS_PER_SECOND: u64 = 100;

/// The client that asks while daemons are replaced; none where it cannot be had, which is no reason
/// not to replace them.
pub(super) fn api_client() -> Option<Arc<dyn Probe>> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().ok()?;
    Some(Arc::new(ApiClient(runtime)))
}

/// Prints what came of an operation, for scripts (docs/json.md).
pub(super) fn print_json(outcome: &Outcome, screen: &Screen) {
    screen.raw(&as_json(outcome, &Clock::now()).to_string());
}

fn as_json(outcome: &Outcome, clock: &Clock) -> serde_json::Value {
    let Outcome::Changed(summary) = outcome else {
        return serde_json::json!({ "changed": false, "operation": null, "from": null, "to": null,
            "api": null, "guests": [] });
    };
    let guest = |protected: &ProtectedProcess, end: Option<End>| {
        serde_json::json!({
            "name": protected.name,
            "pid": protected.identity.pid,
            "start_time": protected.identity.start_time,
            "started": clock.started(protected.identity.start_time),
            "unchanged": end.is_none(),
            "end": end,
        })
    };
    let kept = summary.protected.iter().map(|one| guest(one, None));
    let ended = summary.ended.iter();
    let ended = ended.map(|one| guest(&one.protected, Some(one.end)));
    serde_json::json!({
        "changed": true,
        "operation": summary.plan.operation,
        "from": summary.from,
        "to": summary.version,
        "api": summary.waits.as_ref().map(|waits| serde_json::json!({
            "requests": waits.requests,
            "failed": waits.failed,
            "first_failure": waits.first_failure,
            "longest_wait_us": u64::try_from(waits.longest.as_micros()).unwrap_or(u64::MAX),
        })),
        "guests": kept.chain(ended).collect::<Vec<_>>(),
    })
}

/// Prints what was measured.
pub(super) fn tell(summary: &Summary, screen: &Screen) {
    let clock = Clock::now();
    if let Some(waits) = &summary.waits {
        screen.line(&format!("  API: {}", told_of_waits(waits)));
    }
    for line in told_of_each(summary, &clock) {
        screen.line(&format!("  {line}"));
    }
}

fn told_of_waits(waits: &Waits) -> String {
    let requests = match waits.requests {
        1 => "1 request".to_owned(),
        count => format!("{count} requests"),
    };
    let failed = match (waits.failed, &waits.first_failure) {
        (0, _) => "none failed".to_owned(),
        (count, None) => format!("{count} failed"),
        (count, Some(why)) => format!("{count} failed, the first: {why}"),
    };
    format!(
        "the longest wait of a request was {} ms ({requests} while the daemons were replaced, {failed})",
        waits.longest.as_millis()
    )
}

/// A line for each guest that ran before.
fn told_of_each(summary: &Summary, clock: &Clock) -> Vec<String> {
    let line = |protected: &ProtectedProcess, became: &str| {
        format!(
            "guest {}: pid {} since {}, {became}",
            protected.name,
            protected.identity.pid,
            clock.since(protected.identity.start_time)
        )
    };
    let kept = summary.protected.iter();
    let kept = kept.map(|protected| line(protected, "unchanged"));
    let ended = summary.ended.iter();
    let ended = ended.map(|ended| line(&ended.protected, ended.end.words()));
    kept.chain(ended).collect()
}

/// What tells when a process was started, which the kernel counts from the boot on.
struct Clock {
    now: Zoned,
    since_boot: Duration,
}

impl Clock {
    fn now() -> Self {
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Self {
            now: Timestamp::now().to_zoned(TimeZone::system()),
            since_boot: Duration::try_from(since_boot).unwrap_or_default(),
        }
    }

    /// When a process was started (`proc_pid_stat(5)`, field 22), to the tick.
    fn started(&self, ticks: u64) -> Timestamp {
        let after_boot = Duration::from_millis(ticks.saturating_mul(1000 / TICKS_PER_SECOND));
        let age = self.since_boot.saturating_sub(after_boot);
        let now = self.now.timestamp();
        now.checked_sub(age).unwrap_or(now)
    }

    /// The same as people write it: the hour, and the day where that was another.
    fn since(&self, ticks: u64) -> String {
        let started = self.started(ticks).to_zoned(self.now.time_zone().clone());
        let form = if started.date() == self.now.date() {
            "%H:%M"
        } else {
            "%Y-%m-%d %H:%M"
        };
        started.strftime(form).to_string()
    }
}

#[cfg(test)]
mod tests {
    use banger_installer::model::ProcessIdentity;
    use banger_installer::plan::{Operation, Plan};
    use banger_installer::toolkit::Ended;

    use super::*;

    /// Half past twelve, an hour after the boot but for ten days.
    fn clock() -> Clock {
        let now: Timestamp = "2026-11-24T12:30:00Z".parse().unwrap();
        Clock {
            now: now.to_zoned(TimeZone::UTC),
            since_boot: Duration::from_secs(10 * 86_400),
        }
    }

    fn guest(name: &str, pid: u32, age: Duration) -> ProtectedProcess {
        let started = clock().since_boot.checked_sub(age).unwrap();
        ProtectedProcess {
            name: name.into(),
            id: name.into(),
            identity: ProcessIdentity {
                pid,
                start_time: started.as_secs() * TICKS_PER_SECOND,
            },
            control_group: "/banger.slice/banger-vm-1.scope".into(),
        }
    }

    fn summary(protected: Vec<ProtectedProcess>, ended: Vec<Ended>) -> Summary {
        Summary {
            from: None,
            version: None,
            findings: Vec::new(),
            protected,
            ended,
            waits: None,
            plan: Plan {
                operation: Operation::Restart,
                steps: Vec::new(),
                cleanup: Vec::new(),
            },
        }
    }

    #[test]
    fn each_guest_is_told_with_its_process_and_what_became_of_it() {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let told = told_of_each(
            &summary(
                vec![
                    guest("web", 4211, minutes(29)),
                    guest("db", 77, minutes(60 * 24)),
                ],
                vec![Ended {
                    protected: guest("ci", 90, minutes(1)),
                    end: End::Exited,
                }],
            ),
            &clock(),
        );
        assert_eq!(
            told,
            [
                "guest web: pid 4211 since 12:01, unchanged",
                "guest db: pid 77 since 2026-11-23 12:30, unchanged",
                "guest ci: pid 90 since 12:29, shut down by itself",
            ]
        );
    }

    #[test]
    fn what_clients_waited_is_told_with_what_failed() {
        let mut waits = Waits {
            requests: 31,
            longest: Duration::from_micros(41_700),
            ..Waits::default()
        };
        assert_eq!(
            told_of_waits(&waits),
            "the longest wait of a request was 41 ms (31 requests while the daemons were \
             replaced, none failed)"
        );
        waits.failed = 2;
        waits.first_failure = Some("it closed the connection".into());
        assert!(told_of_waits(&waits).contains("2 failed, the first: it closed the connection"));
    }
}
