//! `banger-release publish`.

use std::path::PathBuf;

use banger_release::{PublishOptions, publish};
use clap::Args;

use super::Failure;

#[derive(Args)]
#[command(after_help = "\
The release goes to DIR/CHANNEL, in one moment: clients find the release before or the new one.

Examples:
  banger-release publish --release dist --to public
  banger-release publish --release dist --to public --keys keys.json")]
pub(super) struct PublishArgs {
    /// The folder that `build` wrote
    #[arg(long, value_name = "DIR")]
    release: PathBuf,
    /// The folder that is served, with a folder for each channel
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The list of signing keys; its signatures lie beside it
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

pub(super) fn run(args: PublishArgs) -> Result<(), Failure> {
    let published = publish(&PublishOptions {
        release: args.release,
        to: args.to,
        keys: args.keys,
    })?;
    let manifest = &published.manifest;
    println!(
        "banger {}   channel {}, sequence {}, published in {}",
        manifest.version,
        manifest.channel,
        manifest.sequence,
        published.folder.display()
    );
    println!("  {} files in SHA256SUMS", published.files);
    Ok(())
}
