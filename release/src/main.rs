//! `banger-release`: makes keys and releases. Parses, calls the library, prints, exits.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the program's whole task: the library does the work and never prints"
)]

use std::error::Error as _;
use std::path::PathBuf;
use std::process::ExitCode;

use banger_installer::fetch::host_target;
use banger_installer::model::Version;
use banger_release::{
    BuildOptions, KeygenOptions, PackOptions, Packed, Profile, ReleaseError, build, keygen, pack,
};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Makes keys and signed releases of banger.
#[derive(Parser)]
#[command(
    name = "banger-release",
    version,
    after_help = "\
Examples:
  banger-release keygen --out ~/keys
  banger-release build --version 0.1.1 --channel stable --key ~/keys/banger.key \\
      --trusted-key ~/keys/banger.pub --release-url https://example.org/banger/stable --out dist
  minisign -V -p ~/keys/banger.pub -m dist/manifest.json"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a minisign key pair: banger.key (secret) and banger.pub
    Keygen {
        /// Folder for both files; existing keys are never overwritten
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Encrypt the secret key with the first line of this file
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Build both programs, pack them with the unit templates, sum and sign
    Build(Box<BuildArgs>),
}

#[derive(Args)]
struct BuildArgs {
    /// The release's version, say 0.1.1
    #[arg(long, value_name = "V")]
    version: Version,
    /// The channel that it is for, say stable
    #[arg(long, value_name = "C")]
    channel: String,
    /// The secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Folder for the release
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Open the secret key with the first line of this file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Sequence number; it must grow with every release [default: seconds since 2020]
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// Days after which the manifest is no longer taken for the newest
    #[arg(long, value_name = "N", default_value_t = 90)]
    expires_days: u32,
    /// The lowest version that updates to this one in one step
    #[arg(long, value_name = "V", default_value = "0.0.0")]
    upgrades_from: Version,
    /// How the programs are built
    #[arg(long, value_enum, default_value_t = ProfileArg::Release)]
    profile: ProfileArg,
    /// Where the programs will look for updates
    #[arg(long, value_name = "URL")]
    release_url: Option<String>,
    /// A public key that the programs will trust; may be given again
    #[arg(long = "trusted-key", value_name = "FILE")]
    trusted_keys: Vec<PathBuf>,
    /// Pack these programs instead of building
    #[arg(long, value_name = "DIR", conflicts_with_all = ["profile", "release_url", "trusted_keys"])]
    binaries: Option<PathBuf>,
    /// The workspace: what is built, and where units/ lies
    #[arg(long, value_name = "DIR", default_value = ".")]
    workspace: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileArg {
    Release,
    Dev,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Keygen { out, password_file } => make_key(out, password_file),
        Command::Build(args) => make_release(*args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn make_key(out: PathBuf, password_file: Option<PathBuf>) -> Result<(), ReleaseError> {
    let paths = keygen(&KeygenOptions { out, password_file })?;
    println!(
        "secret key   {}   keep it off every server",
        paths.secret.display()
    );
    println!(
        "public key   {}   installations trust this one",
        paths.public.display()
    );
    Ok(())
}

fn make_release(args: BuildArgs) -> Result<(), ReleaseError> {
    let prebuilt = args.binaries.is_some();
    // programs of one version and one profile wait here to be packed
    let binaries = args.binaries.unwrap_or_else(|| {
        args.workspace
            .join(format!("target/banger-release/{}", args.version))
    });
    let options = BuildOptions {
        profile: match args.profile {
            ProfileArg::Release => Profile::Release,
            ProfileArg::Dev => Profile::Dev,
        },
        release_url: args.release_url,
        trusted_keys: args.trusted_keys,
        pack: PackOptions {
            binaries,
            units: args.workspace.join("units"),
            version: args.version,
            channel: args.channel,
            target: host_target().into(),
            key: args.key,
            password_file: args.password_file,
            out: args.out,
            sequence: args.sequence,
            expires_days: args.expires_days,
            upgrades_from: args.upgrades_from,
            source_date_epoch: source_date_epoch()?,
        },
        workspace: args.workspace,
    };
    let packed = if prebuilt {
        pack(&options.pack)?
    } else {
        build(&options)?
    };
    report(&packed);
    Ok(())
}

/// <https://reproducible-builds.org/specs/source-date-epoch/>
fn source_date_epoch() -> Result<u64, ReleaseError> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().map_err(|_| ReleaseError::SourceDate { text }),
        Err(_) => Ok(0),
    }
}

fn report(packed: &Packed) {
    let manifest = &packed.manifest;
    println!(
        "banger {}   channel {}, sequence {}, expires {}",
        manifest.version, manifest.channel, manifest.sequence, manifest.expires
    );
    for artefact in &manifest.artefacts {
        println!("  {}   {} bytes", packed.archive.display(), artefact.size);
        println!("  {}", artefact.digest);
    }
    println!("  {}", packed.manifest_path.display());
    println!("  {}", packed.signature_path.display());
}

fn complain(error: &ReleaseError) {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(link) = cause {
        eprintln!("  cause: {link}");
        cause = link.source();
    }
    if let Some(hint) = error.hint() {
        eprintln!("  hint:  {hint}");
    }
}
