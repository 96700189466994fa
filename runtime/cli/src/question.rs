//! The question between a plan and its execution.
//!
//! Guarantees: what is carried out is what was shown. Where the host has changed while somebody thought
//! about it, that is said, and the new plan is shown and asked about.

use banger_installer::toolkit::{Prepared, Preview, Session};

use super::{Failure, Screen};

/// A question about a plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// Its text.
    pub(super) text: &'a str,
    /// It has been answered on the command line.
    pub(super) yes: bool,
}

impl Question<'_> {
    /// Shows a plan and asks; gives the one that was agreed to, none when nothing is to be changed.
    ///
    /// # Errors
    /// [`Failure`], when the host cannot be looked at again.
    pub(super) fn settle(
        self,
        session: &Session<'_>,
        mut prepared: Prepared,
        screen: &Screen,
        show: &dyn Fn(&Preview),
    ) -> Result<Option<Prepared>, Failure> {
        loop {
            show(prepared.preview());
            if self.yes {
                return Ok(Some(prepared));
            }
            if !screen.confirm(self.text) {
                screen.line("Nothing was changed.");
                return Ok(None);
            }
            match session.planner().refresh(&prepared)? {
                None => return Ok(Some(prepared)),
                Some(anew) => {
                    screen.note("the host has changed meanwhile, and so has what would be done:");
                    prepared = anew;
                }
            }
        }
    }
}
