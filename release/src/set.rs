//! What belongs in a release of banger.

use std::path::PathBuf;

use banger_installer_host::{Program, UnitSpec};
use banger_product::{PROGRAMS, unit_specs};

use crate::ReleaseError;

/// Programs, units and other files of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSet {
    /// The programs, in the folder of binaries.
    pub programs: Vec<Program>,
    /// The units, in the order in which they start; their templates lie in the folder of units.
    pub units: Vec<UnitSpec>,
    /// A folder whose files are installed beneath `/usr/local/share`: man pages, completions,
    /// documents. None for a release without any.
    pub share: Option<PathBuf>,
}

impl ReleaseSet {
    /// That of this workspace, without files to share.
    ///
    /// # Errors
    /// [`ReleaseError::Unit`], which only a wrong name in the table here can cause.
    pub fn of_banger() -> Result<Self, ReleaseError> {
        let program = |name: &str| Program { name: name.into() };
        Ok(Self {
            programs: PROGRAMS.map(program).to_vec(),
            units: unit_specs().map_err(ReleaseError::Unit)?,
            share: None,
        })
    }

    /// Whether installed programs that know no list can take it: their own names, all and no other.
    pub(crate) fn is_known_to_legacy(&self) -> bool {
        Self::of_banger().is_ok_and(|known| {
            let mut units: Vec<_> = self.units.iter().map(|unit| &unit.name).collect();
            let mut names: Vec<_> = known.units.iter().map(|unit| &unit.name).collect();
            units.sort();
            names.sort();
            units == names && self.programs == known.programs
        })
    }
}
