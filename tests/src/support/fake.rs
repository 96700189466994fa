//! A VMM that was taken over: our own program in Firecracker's place, and the kernel files that tell
//! it what to do (`tests/src/bin/fake-vmm.rs`, `tests/guest/deeds.c`).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

use super::{Error, Host, Result, command, firecracker, place};

/// The program, linked statically since nothing but it is in a jail; built when its source has
/// changed.
pub fn vmm() -> Result<PathBuf> {
    built("tests/src/bin/fake-vmm.rs", |source, part| {
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc
            .args(["--edition=2024", "--crate-name=fake_vmm", "-Copt-level=1"])
            .args([
                "-Cpanic=abort",
                "-Cstrip=symbols",
                "-Ctarget-feature=+crt-static",
            ])
            .arg("-o")
            .arg(part)
            .arg(source);
        rustc
    })
}

/// The program that every kernel file for it is, too.
fn deeds() -> Result<PathBuf> {
    built("tests/guest/deeds.c", |source, part| {
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-static", "-Wall", "-Werror", "-pthread", "-o"])
            .arg(part)
            .arg(source);
        cc
    })
}

fn built(source: &str, compile: impl FnOnce(&Path, &Path) -> Command) -> Result<PathBuf> {
    let path = place::workspace().join(source);
    let digest = firecracker::sha256(&fs::read(&path)?);
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let key: String = digest.chars().take(12).collect();
    place::cached(&format!("{name}-{key}"), |part| {
        command::run(&mut compile(&path, part))?.ok()?;
        Ok(())
    })
}

/// Puts a kernel file into a host that tells the VMM to do a deed.
pub fn write_kernel(host: &Host, path: &str, deed: &str) -> Result<()> {
    host.copy(&deeds()?, path)?;
    fs::OpenOptions::new()
        .append(true)
        .open(host.path(path))?
        .write_all(format!("\nfake-vmm: {deed}\n").as_bytes())
        .map_err(Error::io(format!("write {path}")))
}
