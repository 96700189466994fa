//! banger as the toolkit sees it: its programs, units and places.

use banger_installer::model::{
    Product, Program, StateFiles, UnitKind, UnitName, UnitNameError, UnitSpec,
};
pub use banger_product::*;

use crate::storage::Places;

/// The description of banger that the toolkit works from.
///
/// # Errors
/// [`UnitNameError`], which only a wrong name in [`UNIT_TEMPLATES`] can cause.
pub fn product() -> Result<Product, UnitNameError> {
    let units = UNIT_TEMPLATES
        .iter()
        .map(|(name, _)| {
            let keeps_children = matches!(*name, OWNER_SERVICE | HELPER_SERVICE);
            name.parse().map(|name: UnitName| {
                let enable = name.kind() != UnitKind::Slice && name.as_str() != UPDATE_SERVICE;
                UnitSpec {
                    optional: name.as_str() == UPDATE_TIMER,
                    name,
                    enable,
                    keeps_children,
                }
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let program = |name: &str| Program { name: name.into() };
    Ok(Product {
        name: NAME.into(),
        target: target(),
        programs: vec![program("banger"), program("bangerd")],
        units,
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
