//! The programs that the bench puts into a host: banger in several versions, and the bench's own.
//!
//! Guarantees: programs of a version are built anew exactly when a source, the lock file or the
//! compiler has changed since.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

use super::{Error, Result, command, firecracker, place};

/// What the two programs are made from, beneath the workspace.
const SOURCES: &[&str] = &["Cargo.toml", "Cargo.lock", "installer", "runtime", "units"];

/// A program of this crate. Cargo puts them beside each other, tests into a folder beneath.
pub fn own(name: &str) -> Result<PathBuf> {
    let running = std::env::current_exe().map_err(Error::io("find the running program"))?;
    running
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Error::Lacking(format!(
                "{name} is not built: cargo build --locked -p banger-tests --bins"
            ))
        })
}

/// Builds this crate's programs beside the running one, in its profile, so that [`own`] finds them.
pub fn build_own() -> Result<()> {
    let mut command = cargo();
    command.args([
        "build",
        "--quiet",
        "--locked",
        "-p",
        "banger-tests",
        "--bins",
    ]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command::run(&mut command)?.ok()?;
    Ok(())
}

/// Names cargo's profile for the programs of releases; `release` when it is not set.
pub const PROFILE: &str = "BANGER_BENCH_PROFILE";

/// A folder with `banger` and `bangerd` that say `version`.
pub fn banger(version: &str) -> Result<PathBuf> {
    let key = format!("{}-{}", profile(), sources_digest()?);
    place::cached(&format!("banger-{version}-{key}"), |part| {
        build(version, part)
    })
}

/// Cargo keeps one build in its folder; a lock keeps another version's from being taken.
fn build(version: &str, part: &Path) -> Result<()> {
    let _lock = place::lock(&place::bench().join(".banger-build.lock"))?;
    let target = place::workspace().join("target");
    command::run(
        cargo()
            .args([
                "build",
                "--quiet",
                "--locked",
                "--profile",
                &profile(),
                "-p",
                "banger-cli",
                "-p",
                "banger-runtime",
                "--bins",
            ])
            .arg("--target-dir")
            .arg(&target)
            .env("BANGER_VERSION", version)
            .env("BANGER_TRUSTED_KEYS", "")
            .env("BANGER_RELEASE_URL", ""),
    )?
    .ok()?;
    // Cargo's name for the folder of its profile `dev` is `debug`.
    let built = target.join(match profile().as_str() {
        "dev" => "debug".to_owned(),
        other => other.to_owned(),
    });
    fs::create_dir_all(part)?;
    for program in banger_release::PROGRAMS {
        fs::copy(built.join(program), part.join(program))?;
    }
    Ok(())
}

fn profile() -> String {
    std::env::var(PROFILE).unwrap_or_else(|_| "release".to_owned())
}

/// Cargo, in the workspace. What an outer cargo or nextest tells its own child is taken away: build
/// scripts watch some of it, and would build their crates anew every time.
pub fn cargo() -> Command {
    const TOLD: [&str; 6] = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_PRIMARY_",
        "NEXTEST",
    ];
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(place::workspace());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if TOLD.iter().any(|told| text.starts_with(told)) {
            command.env_remove(&name);
        }
    }
    command
}

fn sources_digest() -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&place::workspace().join(source), &mut files)?;
    }
    files.sort();
    let compiler = command::run(Command::new("rustc").arg("--version"))?.ok()?;
    let mut all = compiler.into_bytes();
    for file in files {
        let content = fs::read(&file)?;
        all.extend(file.to_string_lossy().bytes());
        all.extend(firecracker::sha256(&content).bytes());
    }
    Ok(firecracker::sha256(&all).chars().take(12).collect())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}
