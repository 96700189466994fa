//! `banger-release script`.

use std::path::PathBuf;

use banger_release::{ScriptOptions, script};
use clap::Args;

use super::Failure;

#[derive(Args)]
#[command(after_help = "\
Example:
  banger-release script --release dist --public-key keys/banger.pub \\
      --release-url https://releases.example.org/banger/stable --out install.sh")]
pub(super) struct ScriptArgs {
    /// The folder that `build` wrote
    #[arg(long, value_name = "DIR")]
    release: PathBuf,
    /// The public key whose signature the script takes
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    /// The address of the channel's published folder
    #[arg(long, value_name = "URL")]
    release_url: String,
    /// Where the script is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The workspace: where packaging/install.sh lies
    #[arg(long, value_name = "DIR", default_value = ".")]
    workspace: PathBuf,
}

pub(super) fn run(args: ScriptArgs) -> Result<(), Failure> {
    let out = args.out.clone();
    script(&ScriptOptions {
        release: args.release,
        public_key: args.public_key,
        release_url: args.release_url,
        workspace: args.workspace,
        out: args.out,
    })?;
    println!("{}", out.display());
    Ok(())
}
