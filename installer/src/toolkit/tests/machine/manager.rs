//! What the machine's service manager does with units.

use super::{Machine, Unit};
use crate::effect::systemd::JobResult;
use crate::model::UnitName;
use crate::unit;

impl Machine {
    /// What a Reload does.
    pub(super) fn load(&self) {
        let folder = &self.product.layout.units;
        let mut units = self.units.borrow_mut();
        for spec in &self.product.units {
            let unit = units.entry(spec.name.clone()).or_default();
            unit.text = std::fs::read_to_string(folder.join(spec.name.as_str())).ok();
            let drop_ins = folder.join(format!("{}.d", spec.name));
            unit.drop_ins = std::fs::read_dir(drop_ins)
                .into_iter()
                .flatten()
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.extension().is_some_and(|found| found == "conf"))
                .map(|path| {
                    let text = std::fs::read_to_string(&path).expect("text");
                    (path, text)
                })
                .collect();
        }
    }

    pub(super) fn kill_mode(unit: &Unit) -> String {
        unit.text
            .iter()
            .chain(unit.drop_ins.values())
            .filter_map(|text| {
                let parsed = unit::parse(text).ok()?;
                parsed
                    .values("Service", "KillMode")
                    .last()
                    .map(ToString::to_string)
            })
            .next_back()
            .unwrap_or_else(|| "control-group".into())
    }

    pub(super) fn stop(&self, name: &UnitName, unit: &mut Unit) {
        if unit.active && unit.text.is_none() {
            self.bare_stops.set(self.bare_stops.get() + 1);
        }
        unit.active = false;
        unit.runs = None;
        let mut child = self.child.borrow_mut();
        let inside = child
            .as_ref()
            .is_some_and(|group| group.ends_with(name.as_str()));
        if inside && Self::kill_mode(unit) != "process" {
            *child = None;
        }
    }

    pub(super) fn start(&self, name: &UnitName, unit: &mut Unit) -> JobResult {
        if unit.text.is_none() {
            return JobResult::Failed;
        }
        // it watches, and ends by itself: tests call it where they want it
        if name.as_str() == "toy-rescue.service" {
            return JobResult::Done;
        }
        if name.as_str() == "toyd.service" {
            let program = self.product.layout.program("toyd");
            let Ok(program) = std::fs::read_to_string(program) else {
                return JobResult::Failed;
            };
            if program.ends_with("broken") {
                unit.failed = true;
                return JobResult::Failed;
            }
            if program.ends_with("grows") {
                std::fs::write(self.record(), r#"{"schema":2}"#).expect("a record");
            }
            unit.runs = Some(program);
        }
        unit.active = true;
        JobResult::Done
    }
}
