//! Serves a folder of releases over TLS until it is ended.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own; its first line tells that it is ready"
)]

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use banger_tests::release_server::{ReleaseServer, ServerOptions};
use clap::Parser;

/// Serves a folder of releases over TLS, with an authority made for this run.
#[derive(Parser)]
struct Cli {
    /// The folder
    #[arg(long)]
    dir: PathBuf,
    /// Address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Another name for the certificate; may be given again
    #[arg(long = "name", default_value = "releases.test")]
    names: Vec<String>,
    /// Where the authority's certificate is written
    #[arg(long)]
    ca_out: PathBuf,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> std::io::Result<()> {
    let options = ServerOptions {
        listen: cli.listen,
        names: cli.names,
        ..ServerOptions::default()
    };
    let server = ReleaseServer::start_with(&cli.dir, options)?;
    fs_err::write(&cli.ca_out, &server.ca_pem)?;
    println!("listening on {}", server.url);
    std::io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}
