//! A machine dies at any effect.

use std::cell::Cell;
use std::io;
use std::path::Path;

use super::Machine;
use crate::effect::FilesError;
use crate::effect::systemd::SystemdError;

/// When a machine dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Dies {
    /// Instead of the effect.
    Before,
    /// Right after it.
    After,
}

/// How many effects there were, and what is to become of one.
#[derive(Debug, Default)]
pub(super) struct Death {
    effects: Cell<usize>,
    planned: Cell<Option<(usize, Dies)>>,
    dead: Cell<bool>,
    /// This one is done, and said to have failed.
    false_alarm: Cell<Option<usize>>,
}

impl Machine {
    pub(in super::super) fn die_at(&self, effect: usize, dies: Dies) {
        let at = self.death.effects.get() + effect;
        self.death.planned.set(Some((at, dies)));
    }

    /// Powers the machine up again: systemd's memory and the disk are as they were.
    pub(in super::super) fn revive(&self) {
        self.death.planned.set(None);
        self.death.false_alarm.set(None);
        self.death.dead.set(false);
    }

    pub(in super::super) fn effects_done(&self) -> usize {
        self.death.effects.get()
    }

    pub(in super::super) fn is_dead(&self) -> bool {
        self.death.dead.get()
    }

    /// An effect from here is done, and said to have failed all the same: a rename whose folder could
    /// not be synced.
    pub(in super::super) fn alarm_at(&self, effect: usize) {
        let at = self.death.effects.get() + effect;
        self.death.false_alarm.set(Some(at));
    }

    /// Counts an effect, and lets the machine die where it is to.
    pub(super) fn effect<T, E>(
        &self,
        dead: impl Fn() -> E,
        act: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let death = &self.death;
        if death.dead.get() {
            return Err(dead());
        }
        let number = death.effects.get();
        death.effects.set(number + 1);
        if death.false_alarm.get() == Some(number) {
            return act().and_then(|_| Err(dead()));
        }
        match death.planned.get() {
            Some((at, Dies::Before)) if at == number => {
                death.dead.set(true);
                Err(dead())
            }
            Some((at, Dies::After)) if at == number => {
                let _ = act();
                death.dead.set(true);
                Err(dead())
            }
            _ => act(),
        }
    }

    pub(super) fn file_effect<T>(
        &self,
        path: &Path,
        act: impl FnOnce() -> Result<T, FilesError>,
    ) -> Result<T, FilesError> {
        let dead = || FilesError {
            what: "reach",
            path: path.into(),
            source: io::Error::other("the machine is dead"),
        };
        self.effect(dead, act)
    }

    pub(super) fn links_effect(
        &self,
        act: impl FnOnce() -> Result<(), FilesError>,
    ) -> Result<(), SystemdError> {
        let dead = || SystemdError::Runtime(io::Error::other("the machine is dead"));
        self.effect(dead, || Ok(act()?))
    }

    pub(super) fn systemd_effect<T>(&self, act: impl FnOnce() -> T) -> Result<T, SystemdError> {
        let dead = || SystemdError::Runtime(io::Error::other("the machine is dead"));
        self.effect(dead, || Ok(act()))
    }
}
