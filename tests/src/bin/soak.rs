//! An attacker of each kind at once: `cargo run --locked -p banger-tests --bin soak -- --minutes
//! 10`. The tests run a short round of it.
#![allow(clippy::print_stdout, reason = "a program; its output is its result")]

use std::process::ExitCode;
use std::time::Duration;

use banger_tests::soak;
use banger_tests::support::{Result, programs};
use clap::Parser;

/// Run an attacker of each kind at once, and see that nothing changes that must not
#[derive(Debug, Parser)]
struct Arguments {
    /// How long they are at work
    #[arg(long, value_name = "N", default_value_t = 10)]
    minutes: u64,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    programs::build_own()?;
    let figures = soak::run(Duration::from_secs(60 * arguments.minutes))?;
    println!("{figures}");
    Ok(if figures.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
