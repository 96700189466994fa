//! `banger vm list`.

use jiff::Timestamp;

use super::{VmError, shown};
use crate::protocol::{VmState, VmSummary};

const HEADER: [&str; 6] = ["NAME", "STATE", "PID", "CPUS", "MEMORY", "UP"];

/// The list as a table, or as JSON that ends in a newline.
pub(super) fn render(vms: &[VmSummary], json: bool) -> Result<String, VmError> {
    if json {
        return Ok(serde_json::to_string_pretty(vms)? + "\n");
    }
    if vms.is_empty() {
        return Ok("no VMs yet; start one: banger vm run NAME --kernel FILE\n".into());
    }
    Ok(table(vms, Timestamp::now()))
}

fn table(vms: &[VmSummary], now: Timestamp) -> String {
    // a row is a line, whatever its cells are made of
    let printable = |cell: String| cell.chars().map(shown).collect();
    let rows: Vec<[String; 6]> = std::iter::once(HEADER.map(Into::into))
        .chain(vms.iter().map(|vm| row(vm, now).map(printable)))
        .collect();
    let mut widths = [0; 6];
    for cells in &rows {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for cells in &rows {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn row(vm: &VmSummary, now: Timestamp) -> [String; 6] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    [
        vm.name.clone(),
        vm.state.word().into(),
        or_dash(vm.pid.map(|pid| pid.to_string())),
        or_dash(vm.cpus.map(|cpus| cpus.to_string())),
        or_dash(vm.memory_mib.map(|memory| format!("{memory} MiB"))),
        up(vm, now),
    ]
}

/// How long it runs, or why it does not.
fn up(vm: &VmSummary, now: Timestamp) -> String {
    match (vm.state, vm.started, &vm.reason) {
        (VmState::Running, Some(started), _) => since(started, now),
        (VmState::Failed, _, Some(reason)) => format!("{reason}; banger vm logs {}", vm.name),
        (_, _, Some(reason)) => reason.clone(),
        _ => "-".into(),
    }
}

fn since(started: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(started.as_second()).max(0);
    let plural = |number: i64, unit: &str| {
        let ending = if number == 1 { "" } else { "s" };
        format!("{number} {unit}{ending}")
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => plural(seconds / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm(name: &str, state: VmState) -> VmSummary {
        VmSummary {
            name: name.into(),
            id: None,
            state,
            reason: None,
            pid: None,
            start_time: None,
            control_group: None,
            cpus: Some(2),
            memory_mib: Some(512),
            started: Some("2026-11-20T10:00:00Z".parse().unwrap()),
            ended: None,
        }
    }

    #[test]
    fn the_table_reads_like_a_table() {
        let now = "2026-11-23T11:00:00Z".parse().unwrap();
        let web = VmSummary {
            pid: Some(4121),
            ..vm("web", VmState::Running)
        };
        let old = VmSummary {
            reason: Some("kernel panicked".into()),
            ..vm("old", VmState::Failed)
        };
        let ghost = VmSummary {
            pid: Some(6001),
            cpus: None,
            memory_mib: None,
            reason: Some("not provably ours: no record knows it".into()),
            ..vm("ghost", VmState::Unmanaged)
        };
        insta::assert_snapshot!(table(&[web, old, ghost], now), @r"
        NAME   STATE      PID   CPUS  MEMORY   UP
        web    running    4121  2     512 MiB  3 days
        old    failed     -     2     512 MiB  kernel panicked; banger vm logs old
        ghost  unmanaged  6001  -     -        not provably ours: no record knows it
        ");
    }

    #[test]
    fn a_name_from_outside_is_a_cell_and_no_more() {
        let now = "2026-11-23T11:00:00Z".parse().unwrap();
        let ghost = VmSummary {
            pid: Some(6001),
            ..vm("x\u{1b}[2J\nweb    running\u{202e}", VmState::Unmanaged)
        };
        let text = table(&[ghost], now);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }

    #[test]
    fn json_keeps_its_field_names() {
        let json = render(&[vm("web", VmState::Running)], true).unwrap();
        let list: serde_json::Value = serde_json::from_str(&json).unwrap();
        let fields: Vec<&str> = list[0]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            fields,
            [
                "control_group",
                "cpus",
                "ended",
                "id",
                "memory_mib",
                "name",
                "pid",
                "reason",
                "start_time",
                "started",
                "state"
            ]
        );
    }

    #[test]
    fn spans_are_short() {
        let start: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        for (seconds, expected) in [
            (5, "5 s"),
            (90, "1 min"),
            (8_040, "2 h 14 min"),
            (86_400, "1 day"),
            (-9, "0 s"),
        ] {
            let now = Timestamp::from_second(start.as_second() + seconds).unwrap();
            assert_eq!(since(start, now), expected);
        }
    }
}
