//! What the machine's service manager does with units.

use std::collections::BTreeSet;
use std::time::Duration;

use super::ground::WANTS;
use super::{Deed, Machine, Unit, name};
use crate::effect::systemd::JobResult;
use crate::model::{Found, UnitName};
use crate::unit;

impl Machine {
    /// A boot: systemd remembers nothing, reads its units, and starts those that are enabled.
    pub(in super::super) fn power_on(&self) {
        self.units.borrow_mut().clear();
        *self.child.borrow_mut() = None;
        self.load();
        self.try_again();
    }

    /// `Restart=always` without a start limit: what starts at boot and could not is tried again.
    pub(in super::super) fn try_again(&self) {
        let mut units = self.units.borrow_mut();
        let names: Vec<UnitName> = units.keys().cloned().collect();
        for name in &names {
            if let Some(unit) = units.get_mut(name)
                && self.is_enabled(name)
                && !unit.active
            {
                self.start(name, unit);
            }
        }
    }

    pub(super) fn is_enabled(&self, name: &UnitName) -> bool {
        let link = self.product.layout.units.join(WANTS).join(name.as_str());
        self.ground
            .look(&link)
            .is_ok_and(|found| found != Found::Missing)
    }

    /// Whether a stop of a service that runs would reach its children.
    pub(in super::super) fn would_kill(&self, unit: &str) -> bool {
        let units = self.units.borrow();
        let inside = self
            .child
            .borrow()
            .as_ref()
            .is_some_and(|group| group.ends_with(unit));
        units
            .get(&name(unit))
            .is_some_and(|unit| inside && unit.active && Self::kill_mode(unit) != "process")
    }

    /// Somebody stops a unit.
    pub(in super::super) fn stop_unit(&self, unit: &str) {
        let unit = name(unit);
        if let Some(state) = self.units.borrow_mut().get_mut(&unit) {
            self.stop(&unit, state);
            state.stopped = true;
        }
    }

    /// A service exits and in order, and nobody is to start it anew (`Restart=no`).
    pub(in super::super) fn let_service_leave(&self) {
        let unit = name("toyd.service");
        if let Some(state) = self.units.borrow_mut().get_mut(&unit) {
            self.stop(&unit, state);
        }
    }

    /// The service answers once it was restarted, and exits so long after.
    pub(in super::super) fn let_service_die_after(&self, time: Duration) {
        self.dies_after.set(Some(time));
    }

    /// Somebody starts a unit.
    pub(in super::super) fn start_unit(&self, unit: &str) {
        let unit = name(unit);
        if let Some(state) = self.units.borrow_mut().get_mut(&unit) {
            self.start(&unit, state);
        }
    }

    /// A boot that has not come to the services yet: they wait for what is ordered before them.
    pub(in super::super) fn power_on_before_services(&self) {
        self.units.borrow_mut().clear();
        *self.child.borrow_mut() = None;
        self.load();
        self.holds_services.set(true);
    }

    /// The boot goes on.
    pub(in super::super) fn let_services_start(&self) {
        self.holds_services.set(false);
        self.try_again();
    }

    /// Somebody disables a unit.
    pub(in super::super) fn disable_unit(&self, unit: &str) {
        let disabled = self.ground.disable(&self.product.layout.units, unit);
        disabled.expect("a disk that takes it");
    }

    /// Somebody moves the child, if it lives.
    pub(in super::super) fn move_child(&self, group: &str) {
        if let Some(child) = self.child.borrow_mut().as_mut() {
            *child = group.into();
        }
    }

    /// What a Reload does.
    pub(in super::super) fn load(&self) {
        let folder = &self.product.layout.units;
        let mut units = self.units.borrow_mut();
        let known = self.product.units.iter().map(|spec| spec.name.clone());
        let lie_there = self.ground.list(folder).unwrap_or_default();
        let lie_there = lie_there
            .into_iter()
            .filter_map(|name| name.to_str()?.parse().ok());
        let names: BTreeSet<UnitName> = known
            .chain(lie_there)
            .chain(units.keys().cloned())
            .collect();
        for name in names {
            let unit = units.entry(name.clone()).or_default();
            unit.text = self.ground.text(&folder.join(name.as_str()));
            let drop_ins = folder.join(format!("{name}.d"));
            let names = self.ground.list(&drop_ins).expect("a folder");
            unit.drop_ins = names
                .into_iter()
                .map(|name| drop_ins.join(name))
                .filter(|path| path.extension().is_some_and(|found| found == "conf"))
                .map(|path| {
                    let text = self.ground.text(&path).expect("text");
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
            .is_some_and(|group| group.split('/').any(|part| part == name.as_str()));
        if inside && Self::kill_mode(unit) != "process" {
            *child = None;
        }
    }

    pub(super) fn start(&self, name: &UnitName, unit: &mut Unit) -> JobResult {
        if unit.text.is_none() {
            return JobResult::Failed;
        }
        // it watches, and exits: tests call it where they want it
        if name.as_str() == "toy-rescue.service" {
            return JobResult::Done;
        }
        if name.as_str() == "toyd.service" {
            let program = self.product.layout.program("toyd");
            let Some(program) = self.ground.text(&program) else {
                return JobResult::Failed;
            };
            if program.ends_with("broken") {
                unit.failed = true;
                return JobResult::Failed;
            }
            if program.ends_with("grows") {
                self.write("var/lib/toy/things/one/record.json", r#"{"schema":2}"#);
            }
            let deed = self.deed.get();
            let fails = matches!(
                deed,
                Deed::KilledAtStart | Deed::StoppedAtStart | Deed::ExitsAtStart
            );
            if fails && !program.starts_with("toyd 0.1.0\n") {
                // started again and again, and so neither up nor down
                unit.runs = Some(program);
                unit.active = true;
                return JobResult::Failed;
            }
            unit.runs = Some(program);
        }
        unit.active = true;
        unit.stopped = false;
        JobResult::Done
    }
}
