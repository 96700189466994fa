//! `banger-release withdraw`.

use std::path::PathBuf;

use banger_installer_host::Version;
use banger_release::{ReleaseError, WithdrawOptions, public_key, withdraw};
use clap::Args;

use super::Failure;
use super::secrets::ReleaseKeys;

#[derive(Args)]
#[command(after_help = "\
The release before the newest one, or the one that --instead names, is signed and published again
under a higher sequence number, in one moment. Its manifest must have a good signature of a key that
is given, and its files must lie in the folder. The manifest of the withdrawn release goes; its
archive stays, since a name means the same bytes for ever: take it away by hand if it must not be read.

What clients see:
  an older version          updates to the release that came back, and is never offered the withdrawn
  the release that is back  nothing to do
  the withdrawn release     keeps it, and says that it is newer than the newest release of the
                            channel, and how to go down: banger update --allow-downgrade
Nothing takes a running version from a machine; a fixed release under a higher version does, and
should follow soon.

Examples:
  banger-release withdraw --from public --channel stable --key keys/banger.key
  banger-release withdraw --from public --channel stable --instead 0.1.1 --key new.key \\
      --signed-by old.pub")]
pub(super) struct WithdrawArgs {
    /// The folder that is served, with a folder for each channel
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The channel whose newest release is withdrawn
    #[arg(long, value_name = "C")]
    channel: String,
    /// The version that is published again [default: the highest below the withdrawn one]
    #[arg(long, value_name = "V")]
    instead: Option<Version>,
    #[command(flatten)]
    keys: ReleaseKeys,
    /// A public key that signed the release which comes back, when those that sign now did not; may
    /// be given again
    #[arg(long, value_name = "PUB")]
    signed_by: Vec<PathBuf>,
    /// Sequence number [default: higher than that of the withdrawn release]
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// Days after which the manifest is no longer taken for the newest
    #[arg(long, value_name = "N", default_value_t = 90)]
    expires_days: u32,
}

pub(super) fn run(args: WithdrawArgs) -> Result<(), Failure> {
    let secrets = args.keys.take()?;
    let signed_by: Result<Vec<_>, ReleaseError> =
        args.signed_by.iter().map(|path| public_key(path)).collect();
    let options = WithdrawOptions {
        from: args.from,
        channel: args.channel,
        instead: args.instead,
        signed_by: signed_by?,
        sequence: args.sequence,
        expires_days: args.expires_days,
    };
    let withdrawn = withdraw(&options, || secrets.open())?;
    let manifest = &withdrawn.manifest;
    println!(
        "banger {}   withdrawn from channel {}",
        withdrawn.version, manifest.channel
    );
    println!(
        "banger {}   sequence {}, expires {}, published in {}",
        manifest.version,
        manifest.sequence,
        manifest.expires,
        withdrawn.folder.display()
    );
    Ok(())
}
