//! `banger`: the command line. Parses, calls, and returns the exit code; nothing else.

use std::process::ExitCode;

use banger_runtime::cli::vm::{Context, VmCommand, run};
use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "banger")]
enum Arguments {
    /// A VM's life.
    #[command(subcommand)]
    Vm(VmCommand),
}

fn main() -> ExitCode {
    let Arguments::Vm(command) = Arguments::parse();
    match run(command, &Context::of_host()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("error: {error}\n  hint: {:?}\n", error.hint()),
            );
            ExitCode::from(error.kind().exit_code())
        }
    }
}
