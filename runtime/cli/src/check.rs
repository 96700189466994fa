//! `banger update --check`.

use std::process::ExitCode;

use banger_installer::model::SignedText;
use banger_installer::observe;
use banger_installer::plan::Judgement;
use banger_installer::toolkit::{Silent, Toolkit, ToolkitError, remember_keys};

use super::arguments::UpdateOptions;
use super::host::Host;
use super::offer::look;
use super::update::nothing_to_take;
use super::{Failure, Screen};
use crate::build::Build;

/// The exit code when there is a release to take.
const UPDATE_AVAILABLE: u8 = 10;

/// Looks for a release and changes nothing, but for a list of keys that is news: what it revokes is
/// never forgotten.
pub(super) fn run(
    options: &UpdateOptions,
    build: &Build,
    screen: &Screen,
    host: &Host,
) -> Result<ExitCode, Failure> {
    let mut silent = Silent;
    let receipt =
        observe::read_receipt(&host.product, &host.effects()).map_err(ToolkitError::from)?;
    let receipt = match receipt {
        Some(receipt) => receipt,
        None => Toolkit::begin(&host.product, host.effects(), &mut silent)?.receipt()?,
    };
    let remember = |keys: &SignedText| remember_keys(&host.product, &host.effects(), keys);
    let offer = look(options, build, host, &receipt, &remember)?;
    let manifest = &offer.manifest;
    let judgement = offer.judge(&receipt);
    let available = judgement == Judgement::Take;
    if options.json {
        let answer = serde_json::json!({
            "installed": receipt.version,
            "offered": manifest.version,
            "channel": manifest.channel,
            "sequence": manifest.sequence,
            "released": manifest.released,
            "expires": manifest.expires,
            "urgency": manifest.urgency,
            "notes": manifest.notes,
            "signed_by": manifest.signed_by(),
            "left_before": matches!(judgement, Judgement::LeftBefore(_)),
            "update_available": available,
        });
        screen.raw(&answer.to_string());
    } else if available {
        screen.line(&format!(
            "banger {} → {} is available; to take it: sudo banger update",
            receipt.version, manifest.version
        ));
    } else {
        screen.line(&nothing_to_take(&judgement, &offer, &receipt));
    }
    Ok(if available {
        ExitCode::from(UPDATE_AVAILABLE)
    } else {
        ExitCode::SUCCESS
    })
}
