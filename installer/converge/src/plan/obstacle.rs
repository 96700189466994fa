//! What no operation fights: a unit that was masked on purpose, and a unit of somebody else's that
//! bears one of our names.

use std::fmt;
use std::path::{Path, PathBuf};

use banger_installer_host::Hint;

use super::Rendered;
use super::staleness::{mask, unmask};
use crate::model::{Product, UnitKind, UnitName};
use crate::observe::{Fragment, HostState, UnitState};
use crate::unit::{self, UnitFile};

/// Something of an administrator's, or of somebody else's, that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// The unit is masked.
    Masked {
        /// The unit.
        unit: UnitName,
        /// What masks it.
        path: PathBuf,
    },
    /// A unit of that name is there, and none of ours.
    Foreign {
        /// The unit.
        unit: UnitName,
        /// Its file.
        path: PathBuf,
        /// What it is for, as far as it can be told.
        does: String,
    },
}

impl Obstacle {
    /// What the user can type.
    pub fn hint(&self) -> Hint {
        Hint::Text(match self {
            Self::Masked { unit, path } => {
                format!("{}, and then the same again", unmask(unit, path))
            }
            Self::Foreign { unit, path, .. } => format!(
                "if nobody needs it: sudo systemctl disable --now {unit} && sudo mv {path} {path}.away",
                path = path.display()
            ),
        })
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Masked { unit, path } => {
                write!(formatter, "{unit} is masked by {}", path.display())
            }
            Self::Foreign { unit, path, does } => write!(
                formatter,
                "{} is not ours, and its name is {unit}: it {does}",
                path.display()
            ),
        }
    }
}

/// The first thing that stands in the way. `units` are to be written.
///
/// Without a receipt a unit is ours when it does what ours does: a service that runs one of our
/// programs (as the units of releases before the receipt do), a socket that listens where ours
/// does, a slice of the same description.
pub fn obstacle(product: &Product, state: &HostState, units: &[Rendered]) -> Option<Obstacle> {
    let masked = state.units.iter().find_map(|unit| {
        Some(Obstacle::Masked {
            unit: unit.spec.name.clone(),
            path: mask(unit)?.path.clone(),
        })
    });
    if masked.is_some() || state.receipt.is_some() {
        return masked;
    }
    state.units.iter().find_map(|unit| {
        let ours = units.iter().find(|ours| ours.unit == unit.spec.name)?;
        let ours = unit::parse(&ours.text).ok()?;
        unit.fragments
            .iter()
            .filter(|fragment| !fragment.masks())
            .find_map(|fragment| foreign(product, unit, fragment, &ours))
    })
}

fn foreign(
    product: &Product,
    unit: &UnitState,
    fragment: &Fragment,
    ours: &UnitFile,
) -> Option<Obstacle> {
    let parsed = fragment.text.as_deref().map(unit::parse);
    let does = match parsed {
        Some(Ok(theirs)) => other_purpose(product, &unit.spec.name, &theirs, ours)?,
        _ => "cannot be read".into(),
    };
    Some(Obstacle::Foreign {
        unit: unit.spec.name.clone(),
        path: fragment.path.clone(),
        does,
    })
}

/// What a unit does, when that is not what ours does.
fn other_purpose(
    product: &Product,
    name: &UnitName,
    theirs: &UnitFile,
    ours: &UnitFile,
) -> Option<String> {
    let (section, key, verb) = match name.kind() {
        UnitKind::Service => ("Service", "ExecStart", "runs"),
        UnitKind::Socket => ("Socket", "ListenStream", "listens at"),
        UnitKind::Timer => ("Timer", "Unit", "starts"),
        UnitKind::Slice | UnitKind::Scope => ("Unit", "Description", "is"),
    };
    let found = theirs.values(section, key);
    let expected = ours.values(section, key);
    let same = found == expected
        || found.iter().any(|value| expected.contains(value))
        || name.kind() == UnitKind::Service && found.iter().any(|line| runs_ours(product, line));
    let does = if found.is_empty() {
        format!("{verb} nothing that can be told")
    } else {
        format!("{verb} {}", found.join(", "))
    };
    (!same).then_some(does)
}

fn runs_ours(product: &Product, line: &str) -> bool {
    let words = unit::words(line).unwrap_or_default();
    // systemd.service(5): prefixes of the program's path
    let program = words.first().map_or("", |word| {
        word.trim_start_matches(['@', '-', ':', '+', '!', '|'])
    });
    let program = Path::new(program);
    product.programs.iter().any(|ours| {
        program == product.layout.program(&ours.name)
            || program.starts_with(&product.layout.versions)
    })
}
