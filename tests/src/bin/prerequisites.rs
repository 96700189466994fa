//! Looks for what the tests need of this machine, installs what Debian has, and prepares the cached
//! parts of the bench, so that no test's time holds a download.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports"
)]

use std::process::ExitCode;

use banger_tests::support::{
    Result, chain, firecracker, guest, prerequisites, programs, root, tools,
};

fn main() -> ExitCode {
    match prepare() {
        Ok(found) => {
            println!("{found}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn prepare() -> Result<prerequisites::Found> {
    let found = prerequisites::ensure()?;
    firecracker::fetch()?;
    tools::cyclonedx()?;
    guest::ticker()?;
    root::base()?;
    for version in [
        "0.1.0",
        "0.1.1",
        banger_tests::support::releases::BROKEN_VERSION,
    ] {
        programs::banger(version)?;
    }
    Ok(found)
}
