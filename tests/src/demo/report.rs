//! What was measured, as a table and as a verdict. Pure.

use std::time::Duration;

use crate::support::api::Tally;
use crate::support::console::Ticks;
use crate::support::stage::Guest;

/// All that the demo measured.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) guests: Vec<GuestFacts>,
    pub(super) updates: Vec<UpdateFacts>,
    pub(super) api: Tally,
}

/// One guest, before the first update and after the last.
#[derive(Debug)]
pub(super) struct GuestFacts {
    pub(super) before: Guest,
    /// Why there is nothing, when it cannot be found.
    pub(super) after: Result<Guest, String>,
    /// Its state in `vm list`.
    pub(super) state: String,
    /// Its console from its start to now; why it is no unbroken series.
    pub(super) ticks: Result<Ticks, String>,
    /// The longest time without a tick while nothing happened.
    pub(super) hole_at_rest: Duration,
    /// The same over all the updates.
    pub(super) hole: Duration,
}

/// One update.
#[derive(Debug)]
pub(super) struct UpdateFacts {
    pub(super) to: String,
    pub(super) expected_code: i32,
    pub(super) code: Option<i32>,
    pub(super) expected_version: String,
    /// What `banger --version` says after it.
    pub(super) version: String,
    /// What the update printed.
    pub(super) output: String,
}

/// The table, line by line.
pub(super) fn table(facts: &Facts) -> Vec<String> {
    let heading = [
        "GUEST",
        "PID",
        "START TIME",
        "NONCE",
        "TICKS",
        "LONGEST HOLE",
        "AT REST",
        "VM LIST",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(facts.guests.iter().map(row));
    let mut lines = align(&rows);
    let api = &facts.api;
    lines.push(String::new());
    lines.push(format!(
        "API     {} requests through it all, {} failed, longest wait {}",
        api.requests,
        api.failed,
        milliseconds(Duration::from_micros(api.longest_wait_us)),
    ));
    lines
}

fn row(facts: &GuestFacts) -> Vec<String> {
    let change = |before: u64, after: Option<u64>| {
        let after = after.map_or_else(|| "gone".to_owned(), |after| after.to_string());
        format!("{before} → {after}")
    };
    let (before, after) = (&facts.before, facts.after.as_ref().ok());
    let start_time = after.map(|after| after.identity.start_time);
    vec![
        before.name.clone(),
        change(before.pid.into(), after.map(|after| after.pid.into())),
        change(before.identity.start_time, start_time),
        before.nonce.clone(),
        facts.ticks.as_ref().map_or_else(
            |_| "broken".to_owned(),
            |ticks| format!("{}–{}", ticks.first, ticks.last),
        ),
        milliseconds(facts.hole),
        milliseconds(facts.hole_at_rest),
        facts.state.clone(),
    ]
}

fn milliseconds(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

fn align(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths);
            let padded = cells.map(|(cell, width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

/// What is not as it should be; nothing: passed.
pub(super) fn problems(facts: &Facts) -> Vec<String> {
    let mut problems: Vec<String> = facts.guests.iter().flat_map(guest_problems).collect();
    problems.extend(facts.updates.iter().flat_map(update_problems));
    if facts.api.failed > 0 {
        let first = facts.api.first_failure.as_deref().unwrap_or("?");
        problems.push(format!(
            "{} requests failed; the first: {first}",
            facts.api.failed
        ));
    }
    if facts.api.requests == 0 {
        problems.push("the API client sent no request".to_owned());
    }
    problems
}

fn guest_problems(facts: &GuestFacts) -> Vec<String> {
    let name = &facts.before.name;
    let mut problems = Vec::new();
    match &facts.after {
        Err(why) => problems.push(format!("{name} is gone: {why}")),
        Ok(after) if after.identity != facts.before.identity => {
            problems.push(format!("{name} has another process than before"));
        }
        Ok(after) if after.nonce != facts.before.nonce => {
            problems.push(format!("{name} was started anew"));
        }
        Ok(_) => {}
    }
    match &facts.ticks {
        Err(why) => problems.push(format!("{name} did not run on: {why}")),
        Ok(ticks) if ticks.nonce != facts.before.nonce => {
            problems.push(format!("the log of {name} is another guest's"));
        }
        Ok(_) => {}
    }
    if facts.state != "running" {
        problems.push(format!("`vm list` shows {name} as {}", facts.state));
    }
    problems
}

fn update_problems(facts: &UpdateFacts) -> Vec<String> {
    let mut problems = Vec::new();
    if facts.code != Some(facts.expected_code) {
        problems.push(format!(
            "the update to {} ended with exit code {:?}, expected {}:\n{}",
            facts.to, facts.code, facts.expected_code, facts.output
        ));
    }
    if facts.version != facts.expected_version {
        problems.push(format!(
            "after the update to {}, banger says {:?}, expected {}",
            facts.to, facts.version, facts.expected_version
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use banger_installer::model::ProcessIdentity;

    use super::*;

    fn guest() -> Guest {
        Guest {
            name: "web".into(),
            pid: 41,
            identity: ProcessIdentity {
                pid: 4100,
                start_time: 7,
            },
            nonce: "0123456789abcdef".into(),
            console: "/nowhere".into(),
        }
    }

    fn facts() -> Facts {
        let ticks = Ticks {
            nonce: guest().nonce,
            first: 1,
            last: 99,
        };
        Facts {
            guests: vec![GuestFacts {
                before: guest(),
                after: Ok(guest()),
                state: "running".into(),
                ticks: Ok(ticks),
                hole_at_rest: Duration::from_millis(51),
                hole: Duration::from_millis(64),
            }],
            updates: vec![UpdateFacts {
                to: "0.1.1".into(),
                expected_code: 0,
                code: Some(0),
                expected_version: "banger 0.1.1".into(),
                version: "banger 0.1.1".into(),
                output: String::new(),
            }],
            api: Tally {
                requests: 10,
                ..Tally::default()
            },
        }
    }

    #[test]
    fn sound_facts_pass() {
        assert_eq!(problems(&facts()), Vec::<String>::new());
    }

    type Spoil = fn(&mut Facts);

    #[test]
    fn every_broken_promise_is_a_problem_that_names_it() {
        let cases: [(Spoil, &str); 10] = [
            (
                |facts| facts.guests[0].after = Err("no pid".into()),
                "web is gone: no pid",
            ),
            (
                |facts| {
                    let mut other = guest();
                    other.identity.start_time = 8;
                    facts.guests[0].after = Ok(other);
                },
                "another process",
            ),
            (
                |facts| {
                    let mut other = guest();
                    other.nonce = "f".repeat(16);
                    facts.guests[0].after = Ok(other);
                },
                "started anew",
            ),
            (
                |facts| facts.guests[0].ticks = Err("tick 4 follows tick 2".into()),
                "tick 4",
            ),
            (
                |facts| facts.guests[0].state = "stopped".into(),
                "web as stopped",
            ),
            (
                |facts| facts.updates[0].code = Some(9),
                "exit code Some(9), expected 0",
            ),
            (|facts| facts.updates[0].code = None, "exit code None"),
            (
                |facts| facts.updates[0].version = "banger 0.1.0".into(),
                "banger 0.1.0",
            ),
            (|facts| facts.api.failed = 1, "1 requests failed"),
            (|facts| facts.api.requests = 0, "no request"),
        ];
        for (spoil, expected) in cases {
            let mut facts = facts();
            spoil(&mut facts);
            let problems = problems(&facts);
            assert_eq!(problems.len(), 1, "{expected}: {problems:?}");
            assert!(problems[0].contains(expected), "{expected}: {problems:?}");
        }
    }

    #[test]
    fn the_table_shows_each_guest_in_aligned_columns() {
        let lines = table(&facts());
        assert!(
            lines[0].starts_with("GUEST  PID      START TIME"),
            "{lines:#?}"
        );
        assert!(lines[1].starts_with("web    41 → 41  7 → 7"), "{lines:#?}");
        assert!(
            lines[1].ends_with("1–99   64 ms         51 ms    running"),
            "{lines:#?}"
        );
    }
}
