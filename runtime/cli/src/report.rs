//! What the toolkit does, in lines for people.
//!
//! Guarantees: a line stands only for something that has happened; steps that say nothing to a
//! person (a reload, a receipt) print nothing; guests are always named.

use banger_installer::model::UnitName;
use banger_installer::plan::{Phase, Step};
use banger_installer::toolkit::{Event, Report, Summary};

use super::{Screen, Tone};

/// Prints events as they come.
pub(super) struct ScreenReport<'a> {
    screen: &'a Screen,
    checked: Vec<(String, u32, bool)>,
    /// Findings that were printed: a plan that is made twice finds them twice.
    found: Vec<String>,
}

impl<'a> ScreenReport<'a> {
    pub(super) const fn new(screen: &'a Screen) -> Self {
        Self {
            screen,
            checked: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Prints one line for every guest that was compared, and forgets them.
    fn print_guests(&mut self) {
        let (alive, all) = (
            self.checked.iter().filter(|guest| guest.2).count(),
            self.checked.len(),
        );
        let what = format!("{alive} of {all} alive: same pid, same start time");
        if alive == all {
            self.screen.done("guests", &what);
        } else {
            self.screen.failed("guests", &what);
        }
        for (name, pid, alive) in self.checked.drain(..) {
            let state = if alive {
                self.screen.paint(Tone::Good, "alive")
            } else {
                self.screen.paint(Tone::Bad, "gone")
            };
            self.screen
                .line(&format!("      {name:<14} pid {pid:<10} {state}"));
        }
    }

    fn step_done(&mut self, step: &Step, detail: &str) {
        let screen = self.screen;
        match step {
            Step::StageRelease(_) => screen.done("staged", detail),
            Step::CheckPrograms(step) => {
                screen.done("programs asked", &format!("{detail} {}", step.version));
            }
            Step::CheckState(step) => {
                for migration in &step.migrations {
                    screen.done("state", &migration.to_string());
                }
            }
            Step::Link(step) if step.link.ends_with("current") => {
                screen.done("switched", &format!("to {}", step.target.display()));
            }
            Step::WriteUnit(step) => screen.done("unit written", step.unit.as_str()),
            Step::KeepGuests(step) => {
                screen.done("KillMode=process added", step.unit.as_str());
            }
            Step::CheckKillMode(step) => {
                screen.done(
                    "units in force",
                    &format!(
                        "KillMode=process, as systemd reports it: {}",
                        names(&step.units)
                    ),
                );
            }
            Step::StartUnits(step) => screen.done("started", &names(&step.units)),
            Step::StopUnits(step) => screen.done("stopped", &names(&step.units)),
            Step::RestartUnits(step) => screen.done("restarted", &names(&step.units)),
            Step::CheckHealth(step) => {
                screen.done("healthy", &format!("both daemons answer {}", step.version));
            }
            Step::BackUp(step) => screen.done("backed up", &step.path.display().to_string()),
            Step::CheckProtected(_) => self.print_guests(),
            _ => {}
        }
    }
}

/// What became of the guests, in a few words.
pub(super) fn told_of_guests(summary: &Summary) -> String {
    let ended: Vec<String> = summary
        .ended
        .iter()
        .map(|ended| {
            let (name, operation) = (&ended.protected.name, summary.plan.operation);
            format!("{name}: {} during the {operation}", ended.end.words())
        })
        .collect();
    match (summary.protected.len(), ended.is_empty()) {
        (0, true) => "no guest was running".into(),
        (1, true) => "the guest that ran lives".into(),
        (count, true) => format!("all {count} guests that ran live"),
        (count, false) => format!(
            "{count} of the {} guests that ran live; {}",
            count + ended.len(),
            ended.join("; ")
        ),
    }
}

fn names(units: &[UnitName]) -> String {
    let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
    names.join(", ")
}

impl Report for ScreenReport<'_> {
    fn event(&mut self, event: &Event<'_>) {
        let screen = self.screen;
        match event {
            Event::Recovering { operation, .. } => {
                screen.note(&format!("an interrupted {operation} was found"));
            }
            Event::Recovered { operation, phase } => match phase {
                Phase::Running => screen.back(&format!("{operation} rolled back"), ""),
                Phase::Committed => screen.done(&format!("{operation} finished"), ""),
            },
            Event::Finding { finding } => {
                let text = finding.to_string();
                if !self.found.contains(&text) {
                    screen.note(&text);
                    self.found.push(text);
                }
            }
            Event::StepDone { step, detail } => self.step_done(step, detail),
            Event::StepFailed { step, cause } => {
                if !self.checked.is_empty() {
                    self.print_guests();
                }
                screen.failed(&step.to_string(), "");
                screen.line(&format!("      {cause}"));
            }
            Event::Reverted { operation } => {
                screen.back(
                    &format!("{operation} rolled back"),
                    "the host is as it was before",
                );
            }
            Event::ProtectedMoved { name, pid, scope } => {
                screen.done("moved", &format!("{name} (pid {pid}) to {scope}"));
            }
            Event::ProtectedStopped { name, pid } => {
                screen.note(&format!("{name} (pid {pid}) was stopped, as asked for"));
            }
            Event::ProtectedEnded { name, pid, end } => {
                screen.note(&format!("{name} (pid {pid}) {} meanwhile", end.words()));
            }
            Event::ProtectedChecked { name, pid, alive } => {
                self.checked.push((name.clone(), *pid, *alive));
            }
            Event::NotHeldAgainst { unit, why } => {
                screen.note(&format!(
                    "{unit} does not answer: {why}; the version is not rolled back for it"
                ));
            }
            Event::StoppedByHand { unit } => {
                screen.note(&format!(
                    "{unit} was stopped by hand, for which the version is not rolled back; its \
                     probation waits until {unit} runs again"
                ));
            }
            Event::ProbationFailed { version, why } => {
                screen.failed(&format!("{version} fails its health checks"), why);
            }
            Event::CleanupPending { why } => {
                screen.note(&format!(
                    "something of the old is left ({why}); the next operation removes it"
                ));
            }
            _ => {}
        }
    }
}
