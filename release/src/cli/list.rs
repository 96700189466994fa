//! `banger-release key list make`, `rotate`, `revoke`, `sign` and `show`.

use std::path::{Path, PathBuf};

use banger_installer_trust::model::{KeyId, KeyList, PublicKeyText};
use banger_release::{
    ListChange, PRODUCT, ReleaseError, SignedList, add_signature, change_list, new_list, public_key,
};
use clap::Args;
use jiff::Timestamp;

use super::Failure;
use super::secrets::RootKeys;

#[derive(Args)]
#[command(after_help = "\
Example, with two of three keys needed for a release:
  banger-release key list make --to keys.json --threshold 2 \\
      --add ann.pub --add bob.pub --add cy.pub --root-key root.key")]
pub(super) struct MakeArgs {
    /// The list; its signatures go to the same name with .minisig
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// The product whose releases the keys sign
    #[arg(long, value_name = "NAME", default_value = PRODUCT)]
    product: String,
    /// A public key that signs releases; may be given again
    #[arg(long, value_name = "PUB", required = true)]
    add: Vec<PathBuf>,
    /// How many of the keys must sign a release [default: 1]
    #[arg(long, value_name = "N")]
    threshold: Option<usize>,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  banger-release key rotate keys.json --add new.pub --retire 6F2A00112233445C --root-key root.key

Publish the list before or with the first release that the new key signs.")]
pub(super) struct RotateArgs {
    /// The list
    list: PathBuf,
    /// A public key that signs from now on; may be given again
    #[arg(long, value_name = "PUB")]
    add: Vec<PathBuf>,
    /// The id of a key that signs no more; may be given again
    #[arg(long, value_name = "ID")]
    retire: Vec<KeyId>,
    /// How many of the keys must sign a release [default: as before]
    #[arg(long, value_name = "N")]
    threshold: Option<usize>,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Args)]
#[command(after_help = "\
Example, for a signing key or a root key that was stolen:
  banger-release key revoke keys.json 6F2A00112233445C --root-key root.key")]
pub(super) struct RevokeArgs {
    /// The list
    list: PathBuf,
    /// The id of the key, as `key show` and minisign show it
    id: KeyId,
    /// A public key that signs in its place; may be given again
    #[arg(long, value_name = "PUB")]
    add: Vec<PathBuf>,
    /// How many of the keys must sign a release [default: as before]
    #[arg(long, value_name = "N")]
    threshold: Option<usize>,
    #[command(flatten)]
    signing: Signing,
}

/// What every list that is made needs.
#[derive(Args)]
struct Signing {
    /// Days after which the list no longer counts
    #[arg(long, value_name = "N", default_value_t = 365)]
    expires_days: u32,
    #[command(flatten)]
    roots: RootKeys,
}

#[derive(Args)]
#[command(after_help = "\
Example, with two holders of root keys on two machines:
  banger-release key rotate keys.json --add new.pub --root-key ann-root.key
  banger-release key sign keys.json --root-key bob-root.key")]
pub(super) struct SignArgs {
    /// The list
    list: PathBuf,
    #[command(flatten)]
    roots: RootKeys,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  banger-release key show keys.json
  banger-release key show --json keys.json | jq .list.keys")]
pub(super) struct ShowArgs {
    /// The list
    list: PathBuf,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) fn make(args: &MakeArgs) -> Result<(), Failure> {
    let change = ListChange {
        add: keys(&args.add)?,
        threshold: args.threshold,
        ..ListChange::default()
    };
    let days = args.signing.expires_days;
    let list =
        new_list(&args.product, &change, days, Timestamp::now()).map_err(ReleaseError::List)?;
    write(&args.to, list, &args.signing, true)
}

pub(super) fn rotate(args: &RotateArgs) -> Result<(), Failure> {
    let change = ListChange {
        add: keys(&args.add)?,
        retire: args.retire.clone(),
        threshold: args.threshold,
        ..ListChange::default()
    };
    change_file(&args.list, &change, &args.signing)
}

pub(super) fn revoke(args: &RevokeArgs) -> Result<(), Failure> {
    let change = ListChange {
        add: keys(&args.add)?,
        revoke: vec![args.id],
        threshold: args.threshold,
        ..ListChange::default()
    };
    change_file(&args.list, &change, &args.signing)
}

pub(super) fn sign(args: &SignArgs) -> Result<(), Failure> {
    let mut list = SignedList::read(&args.list)?;
    for root in args.roots.open()? {
        list = add_signature(&list, &root)?;
    }
    list.write(false)?;
    print(&list);
    Ok(())
}

pub(super) fn show(args: &ShowArgs) -> Result<(), Failure> {
    let list = SignedList::read(&args.list)?;
    if args.json {
        println!(
            "{:#}",
            serde_json::json!({
                "list": list.list,
                "key_ids": list.list.keys.iter().map(PublicKeyText::id).collect::<Vec<_>>(),
                "signed_by": list.signers(),
            })
        );
    } else {
        print(&list);
    }
    Ok(())
}

fn change_file(path: &Path, change: &ListChange, signing: &Signing) -> Result<(), Failure> {
    let before = SignedList::read(path)?;
    let list = change_list(&before.list, change, signing.expires_days, Timestamp::now())
        .map_err(ReleaseError::List)?;
    write(path, list, signing, false)
}

fn write(path: &Path, list: KeyList, signing: &Signing, new: bool) -> Result<(), Failure> {
    let list = SignedList::sign(path, list, &signing.roots.open()?)?;
    list.write(new)?;
    print(&list);
    Ok(())
}

fn keys(paths: &[PathBuf]) -> Result<Vec<PublicKeyText>, ReleaseError> {
    paths.iter().map(|path| public_key(path)).collect()
}

fn print(signed: &SignedList) {
    let list = &signed.list;
    println!(
        "{} keys   sequence {}, expires {}",
        list.product, list.sequence, list.expires
    );
    println!("  {} of these must sign a release:", list.threshold);
    for key in &list.keys {
        println!("    {}   {}", key.id(), key.as_str());
    }
    for id in &list.revoked {
        println!("  revoked     {id}");
    }
    let signers = signed.signers();
    if signers.is_empty() {
        println!("  not signed");
    }
    for id in signers {
        println!("  signed by   {id}");
    }
}
