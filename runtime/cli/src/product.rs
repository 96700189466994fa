//! banger as the toolkit sees it: its programs, units and places.

use banger_installer::model::{
    Delegate, Product, ProductBuilder, ProductError, StateCheck, StateFiles, UnitNameError,
};
pub use banger_product::*;

use crate::storage::Places;

/// banger is described wrongly.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// The name of a unit.
    #[error(transparent)]
    Unit(#[from] UnitNameError),
    /// Anything else.
    #[error(transparent)]
    Product(#[from] ProductError),
}

/// The description of banger that the toolkit works from.
///
/// # Errors
/// [`DescriptionError`], which only a wrong name or path in this crate can cause.
pub fn product() -> Result<Product, DescriptionError> {
    let delegate = Delegate {
        program: NAME.into(),
        words: ["system", "carry-out"].map(str::to_owned).to_vec(),
    };
    // what the host must have is asked by crate::jail::check_host, which knows of programs too
    let builder = ProductBuilder::new(NAME, target())
        .units(unit_specs()?)
        .layout(layout())
        .slice("banger.slice".parse()?)
        .scope_prefix("banger-vm-")
        .rescue(RESCUE_SERVICE.parse()?)
        .delegate(delegate)
        .state_files(StateFiles {
            folder: Places::of_host().vms(),
            name: "record.json".into(),
        })
        .state_check(state_check(HELPER_SERVICE, "--root-helper", false)?)
        .state_check(state_check(OWNER_SERVICE, "--system", true)?)
        .hint_text(hint_text);
    Ok(PROGRAMS
        .into_iter()
        .fold(builder, ProductBuilder::program)
        .build()?)
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
