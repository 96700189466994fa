//! `banger-release build`.

use std::path::{Path, PathBuf};

use banger_installer_fetch::host_target;
use banger_installer_trust::model::{Urgency, Version};
use banger_release::{
    BuildOptions, PackOptions, Packed, Profile, ReleaseError, ReleaseSet, build, commit_time,
    notes, pack_and_open_keys, sbom, sbom_name,
};
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::Failure;
use super::secrets::ReleaseKeys;

#[derive(Args)]
#[command(after_help = "\
Two builds of one commit give the same archive, wherever they are made. With SOURCE_DATE_EPOCH set,
all files are the same, the signatures apart; without it the commit's time is in the archive and the
clock's in the manifest. Keys are read, and passwords asked for, when everything is built.

Examples:
  banger-release build --version 0.1.1 --channel stable --key keys/banger.key \\
      --trusted-key keys/banger.pub --release-url https://example.org/banger/{channel} --out dist
  banger-release build --version 0.1.1 --channel stable --key ann.key --key bob.key \\
      --root root.pub --urgency high --out dist
  minisign -V -p keys/banger.pub -m dist/manifest.json")]
pub(super) struct BuildArgs {
    /// The release's version, say 0.1.1
    #[arg(long, value_name = "V")]
    version: Version,
    /// The channel that it is for, say stable
    #[arg(long, value_name = "C")]
    channel: String,
    #[command(flatten)]
    keys: ReleaseKeys,
    /// Folder for the release
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Sequence number; it must grow with every release [default: seconds since 2020]
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// Days after which the manifest is no longer taken for the newest
    #[arg(long, value_name = "N", default_value_t = 90)]
    expires_days: u32,
    /// The lowest version that updates to this one in one step
    #[arg(long, value_name = "V", default_value = "0.0.0")]
    upgrades_from: Version,
    /// How soon people should take it
    #[arg(long, value_enum, default_value_t = UrgencyArg::Medium)]
    urgency: UrgencyArg,
    /// Release notes, Markdown [default: the version's section of CHANGELOG.md]
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,
    /// Leave the software bill of materials out
    #[arg(long)]
    no_sbom: bool,
    /// How the programs are built
    #[arg(long, value_enum, default_value_t = ProfileArg::Release)]
    profile: ProfileArg,
    /// Where the programs will look for updates
    #[arg(long, value_name = "URL")]
    release_url: Option<String>,
    /// A public key that the programs will trust with releases; may be given again
    #[arg(long = "trusted-key", value_name = "FILE")]
    trusted_keys: Vec<PathBuf>,
    /// A public root key that the programs will trust with lists of keys; may be given again
    #[arg(long = "root", value_name = "FILE")]
    roots: Vec<PathBuf>,
    /// How many root keys must sign a list [default: 1]
    #[arg(long, value_name = "N", requires = "roots")]
    root_threshold: Option<u32>,
    /// Pack these programs instead of building
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["profile", "release_url", "trusted_keys", "roots"]
    )]
    binaries: Option<PathBuf>,
    /// The workspace: what is built, and where units/ and CHANGELOG.md lie
    #[arg(long, value_name = "DIR", default_value = ".")]
    workspace: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileArg {
    Release,
    Dev,
}

#[derive(Clone, Copy, ValueEnum)]
enum UrgencyArg {
    Low,
    Medium,
    High,
    Critical,
}

impl From<UrgencyArg> for Urgency {
    fn from(word: UrgencyArg) -> Self {
        match word {
            UrgencyArg::Low => Self::Low,
            UrgencyArg::Medium => Self::Medium,
            UrgencyArg::High => Self::High,
            UrgencyArg::Critical => Self::Critical,
        }
    }
}

pub(super) fn run(args: BuildArgs) -> Result<(), Failure> {
    // before anything else runs: what is started later must find no descriptor of theirs
    let secrets = args.keys.take()?;
    let prebuilt = args.binaries.is_some();
    let options = options(args)?;
    let packed = if prebuilt {
        pack_and_open_keys(&options.pack, || secrets.open())?
    } else {
        build(&options, || secrets.open())?
    };
    report(&packed, &options.pack);
    Ok(())
}

/// Everything that can be refused is, before a program is built; but the keys are read after it.
fn options(args: BuildArgs) -> Result<BuildOptions, ReleaseError> {
    let roots = args.roots.len();
    if let Some(threshold) = args.root_threshold
        && !(1..=roots).contains(&(threshold as usize))
    {
        return Err(ReleaseError::RootThreshold { threshold, roots });
    }
    // none at all is for packagers and tests: then keys lie in folders of the host
    if roots == 1 || (roots == 0 && args.trusted_keys.len() == 1) {
        return Err(ReleaseError::OneKey);
    }
    let notes = notes_of(&args)?;
    let named = source_date_epoch()?;
    let epoch = named.unwrap_or_else(|| commit_time(&args.workspace));
    let released = named
        .and_then(|seconds| i64::try_from(seconds).ok())
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    let sbom = if args.no_sbom {
        None
    } else {
        Some(sbom(&args.workspace, &args.version, host_target(), epoch)?)
    };
    // programs of one version and one profile wait here to be packed
    let binaries = args.binaries.unwrap_or_else(|| {
        args.workspace
            .join(format!("target/banger-release/{}", args.version))
    });
    Ok(BuildOptions {
        profile: match args.profile {
            ProfileArg::Release => Profile::Release,
            ProfileArg::Dev => Profile::Dev,
        },
        release_url: args.release_url,
        trusted_keys: args.trusted_keys,
        root_keys: args.roots,
        root_threshold: args.root_threshold,
        pack: PackOptions {
            binaries,
            units: args.workspace.join("units"),
            set: ReleaseSet::of_banger()?,
            legacy: true,
            version: args.version,
            channel: args.channel,
            target: host_target().into(),
            keys: Vec::new(),
            out: args.out,
            sequence: args.sequence,
            released,
            expires_days: args.expires_days,
            upgrades_from: args.upgrades_from,
            urgency: args.urgency.into(),
            notes,
            sbom,
            source_date_epoch: epoch,
        },
        workspace: args.workspace,
    })
}

fn notes_of(args: &BuildArgs) -> Result<String, ReleaseError> {
    let read = |path: &Path| {
        fs_err::read_to_string(path).map_err(|source| ReleaseError::Read {
            path: path.into(),
            source,
        })
    };
    if let Some(path) = &args.notes {
        return Ok(read(path)?.trim().to_owned());
    }
    let path = args.workspace.join("CHANGELOG.md");
    let changelog = read(&path)?;
    match notes::cut(&changelog, &args.version) {
        Some(section) => Ok(section.to_owned()),
        None => Err(ReleaseError::NoNotes {
            path,
            version: args.version.clone(),
        }),
    }
}

/// <https://reproducible-builds.org/specs/source-date-epoch/>
fn source_date_epoch() -> Result<Option<u64>, ReleaseError> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => match text.parse() {
            Ok(seconds) => Ok(Some(seconds)),
            Err(_) => Err(ReleaseError::SourceDate { text }),
        },
        Err(_) => Ok(None),
    }
}

fn report(packed: &Packed, options: &PackOptions) {
    let manifest = &packed.manifest;
    println!(
        "banger {}   channel {}, sequence {}, expires {}",
        manifest.version, manifest.channel, manifest.sequence, manifest.expires
    );
    for artefact in &manifest.artefacts {
        let path = options.out.join(&artefact.name);
        println!("  {}   {} bytes", path.display(), artefact.size);
        println!("  {}", artefact.digest);
    }
    if options.sbom.is_some() {
        println!(
            "  {}",
            options.out.join(sbom_name(&options.version)).display()
        );
    }
    println!("  {}", packed.manifest_path.display());
    for key in &packed.signers {
        println!("  signed by {key}");
    }
}
