//! The daemon of a broken release: it says its version as it should, and then does not come up.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a stand-in program; what it prints is all that it does"
)]

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--version") {
        println!(
            "bangerd {}",
            banger_tests::support::releases::BROKEN_VERSION
        );
        return ExitCode::SUCCESS;
    }
    eprintln!("this release is broken on purpose");
    ExitCode::FAILURE
}
