//! What a version says of the state that lies on the host, before it is switched to.
//!
//! Guarantees: a version that cannot read the state is refused before anything is changed; what one
//! will migrate stands in the plan. A version that does not know the question changes nothing by that.

use std::path::{Path, PathBuf};

use super::{Planner, ToolkitError};
use crate::effect::{BoxError, Question};
use crate::model::{Product, Receipt, StateAnswer, StateCheck, Version};
use crate::plan::{CheckPrograms, Migration};

/// The version that is asked: its receipt says for whom, and `folder` holds its programs now.
#[derive(Debug, Clone, Copy)]
pub(super) struct AskedOf<'a> {
    receipt: &'a Receipt,
    folder: &'a Path,
}

impl<'a> AskedOf<'a> {
    pub(super) const fn new(receipt: &'a Receipt, folder: &'a Path) -> Self {
        Self { receipt, folder }
    }

    fn version(&self) -> &'a Version {
        &self.receipt.version
    }
}

impl Planner<'_> {
    /// What a version that is to be switched to will migrate; nothing where the version stays.
    ///
    /// # Errors
    /// [`ToolkitError::State`], [`ToolkitError::StateUnknown`].
    pub(super) fn migrations(
        &self,
        product: &Product,
        asked: AskedOf<'_>,
        changes: bool,
    ) -> Result<Vec<Migration>, ToolkitError> {
        let mut migrations = Vec::new();
        if !changes {
            return Ok(migrations);
        }
        for check in asked_ones(product) {
            // first without any rights; what says another version is refused before the switch
            let versions = CheckPrograms {
                folder: asked.folder.join("bin"),
                programs: vec![check.program.clone()],
                version: asked.version().clone(),
            };
            if versions.ask(&self.effects).is_err() {
                continue;
            }
            let answer = self.ask(check, asked);
            let answer = answer.map_err(|source| ToolkitError::StateUnknown {
                version: asked.version().clone(),
                unit: check.unit.clone(),
                source,
            })?;
            if let Some(StateAnswer::WillMigrate { from, to }) = refuse(answer, check, asked)? {
                let published = product.layout.version(asked.version());
                migrations.push(Migration {
                    unit: check.unit.clone(),
                    program: program(&published, check),
                    words: check.words.clone(),
                    user: user(check, asked),
                    from,
                    to,
                });
            }
        }
        Ok(migrations)
    }

    /// Whether the version before can still read the state. One that gives no answer is not held back
    /// by that: it may be the only way out.
    ///
    /// # Errors
    /// [`ToolkitError::State`].
    pub(super) fn check_way_back(
        &self,
        product: &Product,
        asked: AskedOf<'_>,
    ) -> Result<(), ToolkitError> {
        for check in asked_ones(product) {
            refuse(self.ask(check, asked).unwrap_or(None), check, asked)?;
        }
        Ok(())
    }

    fn ask(&self, check: &StateCheck, asked: AskedOf<'_>) -> Result<Option<StateAnswer>, BoxError> {
        let said = self.effects.programs.say(&Question {
            program: &program(asked.folder, check),
            words: &check.words,
            user: user(check, asked),
        })?;
        Ok(StateAnswer::parse(&said.text, said.code)?)
    }
}

/// The checks by programs that the version has.
fn asked_ones(product: &Product) -> impl Iterator<Item = &StateCheck> {
    let has = |check: &&StateCheck| product.programs.iter().any(|one| one.name == check.program);
    product.state_checks.iter().filter(has)
}

fn program(folder: &Path, check: &StateCheck) -> PathBuf {
    folder.join("bin").join(&check.program)
}

fn user(check: &StateCheck, asked: AskedOf<'_>) -> Option<(u32, u32)> {
    let owner = &asked.receipt.owner;
    check.as_owner.then_some((owner.uid, owner.gid))
}

fn refuse(
    answer: Option<StateAnswer>,
    check: &StateCheck,
    asked: AskedOf<'_>,
) -> Result<Option<StateAnswer>, ToolkitError> {
    match answer {
        Some(StateAnswer::Cannot { found, reads }) => Err(ToolkitError::State {
            version: asked.version().clone(),
            unit: check.unit.clone(),
            found,
            reads,
        }),
        answer => Ok(answer),
    }
}
