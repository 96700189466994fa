//! `cargo demo`: the one scene that banger is about, played with real parts on a throwaway host.

use std::process::ExitCode;

use clap::Parser;

/// Updates banger under three running guests, twice, and shows that none of them noticed
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    options: banger_tests::demo::Options,
}

fn main() -> ExitCode {
    if banger_tests::demo::run(&Arguments::parse().options) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
