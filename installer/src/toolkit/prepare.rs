//! From a request and the host to what the planner takes.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::{InstallRequest, ReleaseFolder, RollbackRequest, ToolkitError, UpdateRequest};
use crate::effect::Effects;
use crate::model::{
    Found, LastUpdate, Product, RECEIPT_SCHEMA, RELEASE_LIST_NAME, Receipt, ReleaseList,
    RolledBack, Version,
};
use crate::observe::{HostState, installed_set};
use crate::plan::{self, Finding, Rendered};
use crate::unit;

/// The channel of a first install.
const FIRST_CHANNEL: &str = "stable";

pub(super) fn all_findings(
    product: &Product,
    state: &HostState,
    installed: Option<&[Rendered]>,
) -> Vec<Finding> {
    let folders = plan::findings_of_folders(&state.folders);
    // before the first install everything is missing, which is no finding
    let Some(receipt) = &state.receipt else {
        return folders;
    };
    let text = |unit: &crate::observe::UnitState| {
        let rendered = installed?
            .iter()
            .find(|found| found.unit == unit.spec.name)?;
        Some(rendered.text.as_str())
    };
    let units = state.units.iter().chain(&state.retired.units);
    units
        .filter(|unit| {
            product
                .units
                .iter()
                .any(|known| known.name == unit.spec.name)
        })
        .flat_map(|unit| plan::findings(product, unit, text(unit), receipt.auto_update))
        .chain(plan::findings_of_release(product, state))
        .chain(folders)
        .collect()
}

/// A receipt that holds what is published with it: the digests of the release's files. Those of the
/// installed version are never taken from its own folder again, where somebody may have swapped one.
pub(super) fn with_contents(
    mut receipt: Receipt,
    product: &Product,
    release: &ReleaseFolder,
    effects: &Effects<'_>,
) -> Result<Receipt, ToolkitError> {
    let itself = release.path == product.layout.version(&release.version);
    if !itself || !receipt.contents.contains_key(&release.version) {
        let mut paths = Vec::new();
        for folder in ["bin", "units"] {
            for name in effects.files.list(&release.path.join(folder))? {
                paths.push(format!("{folder}/{}", name.to_string_lossy()));
            }
        }
        paths.extend(product.shared.iter().cloned());
        let mut files = BTreeMap::new();
        for path in paths {
            if let Some(print) = effects.files.fingerprint(&release.path.join(&path))? {
                files.insert(path, print.digest);
            }
        }
        receipt.contents.insert(release.version.clone(), files);
    }
    let (version, previous) = (&receipt.version, &receipt.previous);
    receipt
        .contents
        .retain(|kept, _| kept == version || Some(kept) == previous.as_ref());
    Ok(receipt)
}

/// The list that a release's folder holds; none in one of a version that had none.
///
/// # Errors
/// [`ToolkitError::List`], when it is there and cannot be followed.
pub(super) fn release_list(
    folder: &Path,
    effects: &Effects<'_>,
) -> Result<Option<ReleaseList>, ToolkitError> {
    let path = folder.join(RELEASE_LIST_NAME);
    let Found::File(image) = effects.files.look(&path)? else {
        return Ok(None);
    };
    let list = ReleaseList::from_json(image.contents.as_bytes())
        .map_err(|source| ToolkitError::List { path, source })?;
    Ok(Some(list))
}

/// The product as the release in a folder has it.
pub(super) fn product_in(
    product: &Product,
    folder: &Path,
    effects: &Effects<'_>,
) -> Result<Product, ToolkitError> {
    let list = release_list(folder, effects)?;
    Ok(list.map_or_else(|| product.clone(), |list| product.with_list(&list)))
}

/// The product as the installed version put it on the host, as far as that is known.
pub(super) fn installed_product(
    product: &Product,
    receipt: Option<&Receipt>,
    effects: &Effects<'_>,
) -> Result<Product, ToolkitError> {
    let Some(receipt) = receipt else {
        return Ok(product.clone());
    };
    match installed_set(product, Some(receipt), effects)? {
        Some(set) => Ok(product.with_set(&set)),
        None => product_in(product, &product.layout.version(&receipt.version), effects),
    }
}

pub(super) fn render_units(
    product: &Product,
    effects: &Effects<'_>,
    folder: &Path,
    values: &unit::Values,
) -> Result<Vec<Rendered>, ToolkitError> {
    if effects.files.look(folder)? == Found::Missing {
        return Err(ToolkitError::NoRelease {
            product: product.name.clone(),
            folder: folder.into(),
        });
    }
    product
        .units
        .iter()
        .map(|spec| {
            let path = folder.join("units").join(format!("{}.in", spec.name));
            let Found::File(image) = effects.files.look(&path)? else {
                return Err(ToolkitError::NoTemplate { path });
            };
            let Some(template) = image.contents.as_text() else {
                return Err(ToolkitError::NoTemplate { path });
            };
            let text = unit::render(template, values).map_err(|source| ToolkitError::Template {
                unit: spec.name.clone(),
                source,
            })?;
            Ok(Rendered {
                unit: spec.name.clone(),
                text,
            })
        })
        .collect()
}

pub(super) fn installed_receipt(
    request: &InstallRequest,
    state: &HostState,
    now: Timestamp,
) -> Receipt {
    let version = request.release.version.clone();
    match &state.receipt {
        Some(old) => Receipt {
            owner: request.owner.clone(),
            previous: if old.version == version {
                old.previous.clone()
            } else {
                Some(old.version.clone())
            },
            version,
            channel: request.channel.clone().unwrap_or(old.channel.clone()),
            auto_update: request.auto_update.unwrap_or(old.auto_update),
            ..old.clone()
        },
        None => Receipt {
            schema: RECEIPT_SCHEMA,
            owner: request.owner.clone(),
            version,
            previous: None,
            channel: request.channel.clone().unwrap_or(FIRST_CHANNEL.into()),
            method: request.method,
            highest_sequence: 0,
            latest_released: None,
            auto_update: request.auto_update.unwrap_or(false),
            installed: now,
            last_update: None,
            rolled_back: None,
            contents: BTreeMap::new(),
            unknown: serde_json::Map::new(),
        },
    }
}

/// The numbers are those of a channel. A step down is remembered as a version that was left, so that
/// the next update does not climb back to it by itself.
pub(super) fn updated_receipt(old: &Receipt, request: &UpdateRequest, now: Timestamp) -> Receipt {
    let same = old.channel == request.channel;
    let (highest, latest) = if same {
        (old.highest_sequence, old.latest_released)
    } else {
        (0, None)
    };
    let left = (request.release.version < old.version).then(|| RolledBack {
        version: old.version.clone(),
        at: now,
        why: Some("an older version was asked for".into()),
    });
    Receipt {
        version: request.release.version.clone(),
        previous: Some(old.version.clone()),
        channel: request.channel.clone(),
        highest_sequence: highest.max(request.sequence),
        latest_released: latest.max(Some(request.released)),
        last_update: Some(LastUpdate {
            from: old.version.clone(),
            finished: now,
        }),
        rolled_back: left,
        ..old.clone()
    }
}

/// The version that was left is not kept as the one before: it is no way back to anything good.
pub(super) fn rolled_back_receipt(
    old: &Receipt,
    version: &Version,
    request: &RollbackRequest,
    now: Timestamp,
) -> Receipt {
    Receipt {
        version: version.clone(),
        previous: None,
        last_update: None,
        rolled_back: Some(RolledBack {
            version: old.version.clone(),
            at: now,
            why: request.why.clone(),
        }),
        ..old.clone()
    }
}
