//! What an update is about to do, said before the question.
//!
//! Guarantees: every line follows from the plan that will run; each guest is named with its fate.

use banger_installer::model::{Product, Receipt, Survivor, UnitName};
use banger_installer::plan::{Plan, Step};

use super::release::Offer;
use super::{Screen, Tone};

/// Prints the header, what changes, and the fate of each guest.
pub(super) fn announce(
    offer: &Offer,
    receipt: &Receipt,
    product: &Product,
    plan: &Plan,
    guests: &[Survivor],
    screen: &Screen,
) {
    let manifest = &offer.manifest;
    let title = format!("banger {} → {}", receipt.version, manifest.version);
    screen.line(&format!(
        "\n{}   {}, released {}, signed by key {}",
        screen.paint(Tone::Strong, &title),
        manifest.channel,
        manifest.released.strftime("%Y-%m-%d"),
        manifest.signed_by().short(),
    ));
    screen.line("\n  What changes");
    for line in changes(plan) {
        screen.line(&format!("    {line}"));
    }
    screen.line(&format!(
        "    {:<25} swapped in one step; {} is kept",
        format!("{} programs", product.programs.len()),
        receipt.version
    ));
    screen.line(&format!(
        "  {:<27} {} running, none will be touched",
        "Your guests",
        guests.len()
    ));
    for guest in guests {
        screen.line(&format!("    {}", fate(guest, plan)));
    }
    screen.line("");
}

/// What the plan does to units and services, a line each.
fn changes(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .filter_map(|planned| match &planned.step {
            Step::WriteUnit(step) => Some((step.unit.to_string(), planned.why.clone())),
            Step::KeepGuests(step) => {
                Some((step.unit.to_string(), "KillMode=process added first".into()))
            }
            Step::SetAside(step) => Some((
                step.path.display().to_string(),
                format!("set aside: {}", planned.why),
            )),
            Step::RestartUnits(step) => {
                let names: Vec<&str> = step.units.iter().map(UnitName::as_str).collect();
                Some(("restarted".into(), names.join(", ")))
            }
            _ => None,
        })
        .map(|(what, how)| format!("{what:<25} {how}"))
        .collect()
}

/// What becomes of a guest.
fn fate(guest: &Survivor, plan: &Plan) -> String {
    let moved = plan.steps.iter().any(|planned| match &planned.step {
        Step::RescopeGuests(step) => step.moves.iter().any(|one| one.survivor == *guest),
        _ => false,
    });
    let place = if moved {
        "kept: moved to its own scope first (its unit was stale)"
    } else if guest.control_group.ends_with(".scope") {
        "kept: own scope"
    } else {
        "kept: its unit's stop reaches the daemon alone"
    };
    format!("{:<14} pid {:<10} {place}", guest.name, guest.identity.pid)
}

#[cfg(test)]
mod tests {
    use banger_installer::model::ProcessIdentity;
    use banger_installer::plan::{Move, Operation, Planned, RescopeGuests};

    use super::*;

    fn guest(name: &str, control_group: &str) -> Survivor {
        Survivor {
            name: name.into(),
            id: name.into(),
            identity: ProcessIdentity {
                pid: 7,
                start_time: 9,
            },
            control_group: control_group.into(),
        }
    }

    #[test]
    fn each_guest_is_told_its_fate_by_the_plan() {
        let (scoped, stale) = (
            guest("web", "/banger.slice/banger-vm-1.scope"),
            guest("db", "/system.slice/bangerd-root.service"),
        );
        let mut plan = Plan {
            operation: Operation::Update,
            steps: Vec::new(),
            cleanup: Vec::new(),
        };
        assert!(fate(&scoped, &plan).ends_with("kept: own scope"));
        assert!(fate(&stale, &plan).ends_with("reaches the daemon alone"));
        let step = RescopeGuests {
            slice: "banger.slice".parse().unwrap(),
            moves: vec![Move {
                survivor: stale.clone(),
                scope: "banger-vm-2.scope".parse().unwrap(),
            }],
        };
        plan.steps.push(Planned {
            step: step.into(),
            why: "their unit was stale".into(),
        });
        assert!(fate(&stale, &plan).contains("moved to its own scope first"));
    }
}
