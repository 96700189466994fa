//! `banger-release verify`.

use std::path::PathBuf;

use banger_release::{CheckOptions, Checked, check};
use clap::Args;
use jiff::Timestamp;

use super::Failure;

#[derive(Args)]
#[command(after_help = "\
Examples:
  banger-release verify public/stable --key keys/banger.pub
  banger-release verify public/stable --root ann-root.pub --root bob-root.pub --threshold 2")]
pub(super) struct VerifyArgs {
    /// The folder of a channel
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// A public key that signs releases; may be given again
    #[arg(
        long = "key",
        value_name = "FILE",
        required_unless_present = "roots",
        conflicts_with = "roots"
    )]
    keys: Vec<PathBuf>,
    /// A public root key: keys.json says who signs releases; may be given again
    #[arg(long = "root", value_name = "FILE")]
    roots: Vec<PathBuf>,
    /// How many root keys must have signed keys.json [default: 1]
    #[arg(long, value_name = "N", requires = "roots")]
    threshold: Option<u32>,
    /// For programs: {"checked": [{"name", "fact"}]}, printed when all is right
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let options = CheckOptions {
        folder: args.folder.clone(),
        keys: args.keys.clone(),
        roots: args.roots.clone(),
        root_threshold: args.threshold,
        now: Timestamp::now(),
    };
    let mut checked: Vec<Checked> = Vec::new();
    check(&options, &mut |found| {
        if args.json {
            checked.push(found);
        } else {
            println!("  ✓ {}   {}", found.name, found.fact);
        }
    })?;
    if args.json {
        println!("{:#}", serde_json::json!({ "checked": checked }));
    }
    Ok(())
}
