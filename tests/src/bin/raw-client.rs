//! Opens many connections to a socket, sends the beginning of a request on each, and tells as one
//! line of JSON what became of them; then it holds those that are open until its input ends.
#![allow(clippy::print_stdout, reason = "a program; its output is its result")]

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// How long a connection may take to be hung up on.
const PATIENCE: Duration = Duration::from_secs(2);

/// Holds connections to a socket until standard input ends
#[derive(Debug, Parser)]
struct Arguments {
    /// The socket
    #[arg(long)]
    socket: PathBuf,
    /// How many connections
    #[arg(long)]
    hold: usize,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let (mut refused, mut hung_up, mut answered) = (0, 0, 0);
    let mut open = Vec::new();
    for _ in 0..arguments.hold {
        match UnixStream::connect(&arguments.socket) {
            Ok(stream) => open.push(stream),
            Err(_) => refused += 1,
        }
    }
    for stream in &mut open {
        // not the whole of it: whoever answers has not read it
        let _ = stream.write_all(br#"{"method":"org.banger"#);
    }
    let deadline = std::time::Instant::now() + PATIENCE;
    open.retain_mut(|stream| {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        let _ = stream.set_read_timeout(Some(left.max(Duration::from_millis(1))));
        match stream.read(&mut [0; 64]) {
            Ok(0) => hung_up += 1,
            Ok(_) => answered += 1,
            Err(error) if is_late(&error) => return true,
            Err(_) => hung_up += 1,
        }
        false
    });
    let told = serde_json::json!({
        "refused": refused, "hung_up": hung_up, "answered": answered, "open": open.len(),
    });
    println!("{told}");
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
