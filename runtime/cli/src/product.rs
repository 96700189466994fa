//! banger as the toolkit sees it: its programs, units and places.

use banger_installer::model::{Delegate, Product, Program, StateCheck, StateFiles, UnitNameError};
pub use banger_product::*;

use crate::storage::Places;

/// The description of banger that the toolkit works from.
///
/// # Errors
/// [`UnitNameError`], which only a wrong name in [`UNIT_TEMPLATES`] can cause.
pub fn product() -> Result<Product, UnitNameError> {
    Ok(Product {
        name: NAME.into(),
        target: target(),
        programs: PROGRAMS.map(|name| Program { name: name.into() }).to_vec(),
        units: unit_specs()?,
        shared: Vec::new(),
        delegate: Some(Delegate {
            program: NAME.into(),
            words: ["system", "carry-out"].map(str::to_owned).to_vec(),
        }),
        layout: layout(),
        slice: "banger.slice".parse()?,
        scope_prefix: "banger-vm-".into(),
        // asked by crate::jail::check_host, which knows of programs too
        required: Vec::new(),
        rescue: Some(RESCUE_SERVICE.parse()?),
        state_files: vec![StateFiles {
            folder: Places::of_host().vms(),
            name: "record.json".into(),
        }],
        state_checks: vec![
            state_check(HELPER_SERVICE, "--root-helper", false)?,
            state_check(OWNER_SERVICE, "--system", true)?,
        ],
    })
}

fn state_check(unit: &str, daemon: &str, as_owner: bool) -> Result<StateCheck, UnitNameError> {
    Ok(StateCheck {
        unit: unit.parse()?,
        program: DAEMON.into(),
        words: ["--check-state", daemon].map(str::to_owned).to_vec(),
        as_owner,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_units_starts_doors_before_daemons() {
        let product = product().unwrap();
        let names: Vec<&str> = product
            .units
            .iter()
            .map(|unit| unit.name.as_str())
            .collect();
        let position = |name| names.iter().position(|found| *found == name).unwrap();
        assert!(position("bangerd-root.socket") < position(HELPER_SERVICE));
        assert!(position("bangerd.socket") < position(OWNER_SERVICE));
        assert!(position(HELPER_SERVICE) < position(OWNER_SERVICE));
    }
}
