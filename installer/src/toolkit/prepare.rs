//! From a request and the host to what the planner takes.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::{InstallRequest, ReleaseFolder, RollbackRequest, ToolkitError, UpdateRequest};
use crate::effect::Effects;
use crate::model::{Found, LastUpdate, Product, RECEIPT_SCHEMA, Receipt, RolledBack, Version};
use crate::observe::HostState;
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
    state
        .units
        .iter()
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
        let mut files = BTreeMap::new();
        for folder in ["bin", "units"] {
            for name in effects.files.list(&release.path.join(folder))? {
                let path = format!("{folder}/{}", name.to_string_lossy());
                if let Some(print) = effects.files.fingerprint(&release.path.join(&path))? {
                    files.insert(path, print.digest);
                }
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
