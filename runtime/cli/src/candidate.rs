//! What is asked for as an [`Updater`], and why a candidate is not taken in words.

use banger_installer::fetch::Transport;
use banger_installer::plan::{Decision, Selection};
use banger_installer::updater::{Candidate, Updater};
use banger_installer::verify::BuiltInKeys;

use super::arguments::UpdateOptions;
use super::host::Host;
use crate::build::Build;

/// What servers see in their logs.
const USER_AGENT: &str = concat!("banger/", env!("CARGO_PKG_VERSION"));

/// What the command line and the build say about where releases come from, and which is asked for.
pub(super) fn updater<'a>(
    options: &UpdateOptions,
    build: &'a Build,
    host: &'a Host,
) -> Updater<'a> {
    Updater::new(&host.product)
        .keys(BuiltInKeys {
            roots: build.root_keys,
            root_threshold: build.root_threshold,
            signing: build.trusted_keys,
        })
        .built_in_sources(build.release_url)
        .built(build.built())
        .from(&options.from)
        .transport(Transport::system().with_user_agent(USER_AGENT))
        .channel(options.channel.clone())
        .selection(Selection {
            version: options.version.clone(),
            allow_downgrade: options.allow_downgrade,
        })
}

/// Why a release is not taken, in a line.
pub(super) fn nothing_to_take(candidate: &Candidate<'_>) -> String {
    let installed = &candidate.installed().version;
    let (offered, channel) = (&candidate.manifest().version, &candidate.manifest().channel);
    match candidate.decision() {
        Decision::RolledBackHere(left) => {
            let why = left
                .why
                .as_ref()
                .map_or(String::new(), |why| format!(" ({why})"));
            format!(
                "banger {offered} was rolled back here on {}{why}; to install it all the same: \
                 sudo banger update --version {offered}",
                left.at.strftime("%Y-%m-%d")
            )
        }
        Decision::Older => format!(
            "banger {installed} is newer than {offered}, the newest release of channel {channel}; \
             to go down: sudo banger update --channel {channel} --allow-downgrade"
        ),
        Decision::Installed if candidate.was_asked_for() => {
            format!("banger {installed} is installed")
        }
        Decision::Installed | Decision::Take => {
            format!("banger {installed} is the newest release of channel {channel}")
        }
    }
}
