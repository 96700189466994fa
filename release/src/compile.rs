//! Builds the programs with the release's version in them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::pack::{PackOptions, Packed, pack};
use crate::{PROGRAMS, ReleaseError};

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
    /// The rest; its `binaries` is where the built programs are copied before they are packed.
    pub pack: PackOptions,
}

/// Builds both programs with cargo (`$CARGO`, else `cargo`), then packs them.
///
/// # Errors
/// [`ReleaseError`].
pub fn build(options: &BuildOptions) -> Result<Packed, ReleaseError> {
    let keys = options
        .trusted_keys
        .iter()
        .map(|path| public_key_line(path))
        .collect::<Result<Vec<_>, _>>()?
        .join(",");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .current_dir(&options.workspace)
        .args(["build", "--locked", "-p", "banger-runtime", "--bins"])
        .env("BANGER_VERSION", options.pack.version.to_string())
        .env("BANGER_TRUSTED_KEYS", keys)
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
    let built = target_folder(&options.workspace).join(match options.profile {
        Profile::Release => "release",
        Profile::Dev => "debug",
    });
    let binaries = &options.pack.binaries;
    fs_err::create_dir_all(binaries).map_err(ReleaseError::write(binaries))?;
    for program in PROGRAMS {
        let to = binaries.join(program);
        fs_err::copy(built.join(program), &to).map_err(ReleaseError::write(&to))?;
    }
    pack(&options.pack)
}

fn target_folder(workspace: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => workspace.join(folder),
        None => workspace.join("target"),
    }
}

/// The key of a `.pub` file: its second line.
fn public_key_line(path: &Path) -> Result<String, ReleaseError> {
    let text = fs_err::read_to_string(path).map_err(ReleaseError::read(path))?;
    let refused = || ReleaseError::NotAPublicKey { path: path.into() };
    let line = text.lines().nth(1).map(str::trim).ok_or_else(refused)?;
    minisign::PublicKey::from_base64(line).map_err(|_| refused())?;
    Ok(line.into())
}
