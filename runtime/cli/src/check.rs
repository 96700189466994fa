//! `banger update --check`.
//!
//! Guarantees: nothing is changed, and nothing written; no lock is taken.

use std::process::ExitCode;

use banger_installer::plan::Decision;
use banger_installer::updater::Look;

use super::arguments::UpdateOptions;
use super::candidate::{nothing_to_take, updater};
use super::host::Host;
use super::{Failure, Screen};
use crate::build::Build;

/// The exit code when there is a release to take.
const UPDATE_AVAILABLE: u8 = 10;

/// Looks for a release.
pub(super) fn run(
    options: &UpdateOptions,
    build: &Build,
    screen: &Screen,
    host: &Host,
) -> Result<ExitCode, Failure> {
    let look = Look::new(&host.product, host.effects());
    let candidate = updater(options, build, host).check(&look)?;
    let (receipt, manifest) = (candidate.installed(), candidate.manifest());
    let available = *candidate.decision() == Decision::Take;
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
            "left_before": matches!(candidate.decision(), Decision::RolledBackHere(_)),
            "update_available": available,
        });
        screen.raw(&answer.to_string());
    } else if available {
        screen.line(&format!(
            "banger {} → {} is available; to take it: sudo banger update",
            receipt.version, manifest.version
        ));
    } else {
        screen.line(&nothing_to_take(&candidate));
    }
    Ok(if available {
        ExitCode::from(UPDATE_AVAILABLE)
    } else {
        ExitCode::SUCCESS
    })
}
