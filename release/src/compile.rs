//! Builds the programs with the release's version in them.
//!
//! Guarantees: what is built depends on the commit, the compiler and the options, and on nothing
//! else of this machine ([`crate::reproducible`]).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use banger_installer_trust::model::PublicKeyText;

use crate::key::SigningKey;
use crate::pack::{PackOptions, Packed, pack_and_open_keys};
use crate::reproducible::{PathNames, variable};
use crate::share::share;
use crate::{CRATES, PROGRAMS, ReleaseError};

/// How the programs are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Optimised and stripped.
    Release,
    /// Quick to build, for tests and the demo.
    Dev,
}

/// Options of [`build`].
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// The workspace.
    pub workspace: PathBuf,
    /// How to build.
    pub profile: Profile,
    /// `BANGER_RELEASE_URL` of the programs: where they look for updates.
    pub release_url: Option<String>,
    /// Public key files: `BANGER_TRUSTED_KEYS` of the programs.
    pub trusted_keys: Vec<PathBuf>,
    /// Public key files: `BANGER_ROOT_KEYS` of the programs.
    pub root_keys: Vec<PathBuf>,
    /// `BANGER_ROOT_THRESHOLD` of the programs: how many root keys must sign a list.
    pub root_threshold: Option<u32>,
    /// The rest; its `binaries` is where the built programs are copied before they are packed.
    pub pack: PackOptions,
}

/// Builds both programs with cargo (`$CARGO`, else `cargo`), then packs them, and only then opens
/// the keys: a build runs programs of the dependencies' authors.
///
/// # Errors
/// [`ReleaseError`].
pub fn build(
    options: &BuildOptions,
    open_keys: impl FnOnce() -> Result<Vec<SigningKey>, ReleaseError>,
) -> Result<Packed, ReleaseError> {
    compile(options)?;
    let mut pack = options.pack.clone();
    pack.set.share = Some(share(&options.workspace, &pack.binaries)?);
    pack_and_open_keys(&pack, open_keys)
}

fn compile(options: &BuildOptions) -> Result<(), ReleaseError> {
    let target_folder = target_folder(&options.workspace)?;
    let cargo = cargo();
    let names = PathNames::of(
        &cargo,
        &options.workspace,
        &target_folder,
        &options.pack.target,
    )?;
    let mut command = Command::new(&cargo);
    command
        .current_dir(&options.workspace)
        .stdin(Stdio::null())
        .args(["build", "--locked", "--bins"])
        .args(CRATES.map(|(name, _)| format!("--package={name}")))
        .arg("--target-dir")
        .arg(&target_folder)
        .env("CARGO_ENCODED_RUSTFLAGS", names.rust_flags())
        .env("CFLAGS", names.c_flags())
        .env("CARGO_INCREMENTAL", "0")
        .env(
            "SOURCE_DATE_EPOCH",
            options.pack.source_date_epoch.to_string(),
        )
        .env("BANGER_BUILT", built(options.pack.source_date_epoch))
        .env("BANGER_VERSION", options.pack.version.to_string())
        .env("BANGER_TRUSTED_KEYS", key_lines(&options.trusted_keys)?)
        .env("BANGER_ROOT_KEYS", key_lines(&options.root_keys)?)
        .env(
            "BANGER_ROOT_THRESHOLD",
            options
                .root_threshold
                .map_or_else(String::new, |count| count.to_string()),
        )
        .env(
            "BANGER_RELEASE_URL",
            options.release_url.as_deref().unwrap_or(""),
        );
    if options.profile == Profile::Release {
        command.arg("--release");
    }
    let status = command.status().map_err(|source| ReleaseError::Run {
        program: cargo.clone(),
        source,
    })?;
    if !status.success() {
        return Err(ReleaseError::Build { status });
    }
    // copied away: the next build of another version writes to the same place
    let built = target_folder.join(match options.profile {
        Profile::Release => "release",
        Profile::Dev => "debug",
    });
    let binaries = &options.pack.binaries;
    fs_err::create_dir_all(binaries).map_err(ReleaseError::write(binaries))?;
    for program in PROGRAMS {
        let to = binaries.join(program);
        fs_err::copy(built.join(program), &to).map_err(ReleaseError::write(&to))?;
    }
    Ok(())
}

/// `BANGER_BUILT` of the programs: the clock is never believed to be before it.
fn built(source_date_epoch: u64) -> String {
    match source_date_epoch {
        0 => String::new(),
        seconds => seconds.to_string(),
    }
}

/// The cargo that runs everything.
pub(crate) fn cargo() -> String {
    variable("CARGO", "cargo")
}

/// Cargo's folder for releases: apart from everyone's, since the flags are others and would have
/// everything built anew on both sides.
fn target_folder(workspace: &Path) -> Result<PathBuf, ReleaseError> {
    let workspace = workspace
        .canonicalize()
        .map_err(ReleaseError::read(workspace))?;
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => workspace.join(folder),
        None => workspace.join("target"),
    };
    Ok(target.join("banger-release/cargo"))
}

fn key_lines(paths: &[PathBuf]) -> Result<String, ReleaseError> {
    let keys: Result<Vec<_>, _> = paths.iter().map(|path| public_key(path)).collect();
    let lines: Vec<String> = keys?.into_iter().map(String::from).collect();
    Ok(lines.join(","))
}

/// The key of a `.pub` file: its second line.
///
/// # Errors
/// [`ReleaseError`].
pub fn public_key(path: &Path) -> Result<PublicKeyText, ReleaseError> {
    let text = fs_err::read_to_string(path).map_err(ReleaseError::read(path))?;
    let line = text.lines().nth(1).map(str::trim).unwrap_or_default();
    line.parse()
        .map_err(|_| ReleaseError::NotAPublicKey { path: path.into() })
}
