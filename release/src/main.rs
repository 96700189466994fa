//! `banger-release`: makes keys and signed releases. Parses, calls, and returns the exit code.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
