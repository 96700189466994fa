//! `banger`: the command line. Parses, calls, and returns the exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    banger_cli::main(&banger_product::build!())
}
