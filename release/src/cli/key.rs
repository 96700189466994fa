//! `banger-release key`: keys and lists of keys.

use std::path::PathBuf;

use banger_release::{KeygenOptions, Password, keygen};
use clap::{Args, Subcommand};

use super::Failure;
use super::list::{self, MakeArgs, RevokeArgs, RotateArgs, ShowArgs, SignArgs};
use super::secrets::descriptor;

#[derive(Subcommand)]
#[command(after_help = "\
Examples:
  banger-release key make --out keys                    one pair, for a client that pins it
  banger-release key make --out keys --name root        a root key, kept offline
  banger-release key list make --to keys.json --add keys/banger.pub --root-key keys/root.key
  banger-release key rotate keys.json --add new.pub --retire ID --root-key keys/root.key
  banger-release publish --release dist --to public --keys keys.json")]
pub(super) enum KeyCommand {
    /// Make a minisign key pair: NAME.key (secret) and NAME.pub
    Make(PairArgs),
    /// Make the list of keys that sign releases
    #[command(subcommand)]
    List(ListCommand),
    /// Exchange keys of a list
    Rotate(RotateArgs),
    /// Take all trust from a key, for ever
    Revoke(RevokeArgs),
    /// Add the signature of one more root key to a list
    Sign(SignArgs),
    /// Show a list: keys, threshold, dates, and who signed it
    Show(ShowArgs),
}

#[derive(Subcommand)]
#[command(after_help = "\
Example:
  banger-release key list make --to keys.json --add keys/banger.pub --root-key keys/root.key")]
pub(super) enum ListCommand {
    /// Make a list and sign it with root keys
    Make(MakeArgs),
}

#[derive(Args)]
#[command(after_help = "\
Without another word a password is asked for at the terminal.

Examples:
  banger-release key make --out keys
  banger-release key make --out keys --name root --password-file secret.txt
  banger-release key make --out keys --password-fd 3 3< <(pass banger)")]
pub(super) struct PairArgs {
    /// Folder for both files; existing keys are never overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The files' name without .key and .pub
    #[arg(long, value_name = "NAME", default_value = "banger")]
    name: String,
    /// Encrypt the secret key with the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["password_fd", "unencrypted"])]
    password_file: Option<PathBuf>,
    /// The same from an open descriptor
    #[arg(long, value_name = "N", conflicts_with = "unencrypted")]
    password_fd: Option<u32>,
    /// Leave the secret key without a password: who reads the file can sign
    #[arg(long)]
    unencrypted: bool,
}

pub(super) fn run(command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::Make(args) => make(args),
        KeyCommand::List(ListCommand::Make(args)) => list::make(&args),
        KeyCommand::Rotate(args) => list::rotate(&args),
        KeyCommand::Revoke(args) => list::revoke(&args),
        KeyCommand::Sign(args) => list::sign(&args),
        KeyCommand::Show(args) => list::show(&args),
    }
}

fn make(args: PairArgs) -> Result<(), Failure> {
    let password = match (args.password_file, args.password_fd) {
        (Some(file), _) => Password::File(file),
        (None, Some(number)) => Password::File(descriptor(number)),
        (None, None) if args.unencrypted => Password::None,
        (None, None) => Password::Ask,
    };
    let paths = keygen(&KeygenOptions {
        out: args.out,
        name: args.name,
        password,
    })?;
    let (secret, public) = (paths.secret.display(), paths.public.display());
    println!("secret key   {secret}   keep it off every server");
    println!("public key   {public}   installations trust this one");
    Ok(())
}
