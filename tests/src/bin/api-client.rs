//! Asks the owner daemon all the time, as several clients at once, until its input ends, then prints
//! what they counted as JSON.
//!
//! It speaks varlink's framing (JSON, ended by a NUL) by itself, with the standard library alone: a
//! client that shares no code with the daemon, and that never asks twice to hide a failure.
#![allow(clippy::print_stdout, reason = "a program; its output is its result")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use banger_tests::support::api::Tally;
use clap::Parser;

/// A request that is not answered within this has failed.
const BOUND: Duration = Duration::from_secs(30);
/// An answer is not longer than this.
const ANSWER_LIMIT: u64 = 1 << 20;
const METHODS: [&str; 2] = ["org.banger.Owner.Health", "org.banger.Owner.List"];

/// Asks the owner daemon until standard input ends
#[derive(Debug, Parser)]
struct Arguments {
    /// The daemon's socket
    #[arg(long)]
    socket: PathBuf,
    /// The pause between two requests, in milliseconds
    #[arg(long, default_value_t = 2)]
    every: u64,
    /// How many clients ask at the same time
    #[arg(long, default_value_t = 16)]
    clients: usize,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        end.store(true, Ordering::SeqCst);
    });
    let askers: Vec<_> = (0..arguments.clients)
        .map(|_| {
            let (socket, ended) = (arguments.socket.clone(), Arc::clone(&ended));
            std::thread::spawn(move || ask_until(&ended, &socket, arguments.every))
        })
        .collect();
    let mut all = Tally::default();
    for asker in askers {
        let tally = asker
            .join()
            .map_err(|_| io::Error::other("a client panicked"))?;
        all.add(tally);
    }
    println!("{}", serde_json::to_string(&all)?);
    Ok(())
}

fn ask_until(ended: &AtomicBool, socket: &Path, pause: u64) -> Tally {
    let mut tally = Tally::default();
    while !ended.load(Ordering::SeqCst) {
        for method in METHODS {
            let start = Instant::now();
            let answer = ask(socket, method);
            count(&mut tally, method, start.elapsed(), answer);
            std::thread::sleep(Duration::from_millis(pause));
        }
    }
    tally
}

fn count(tally: &mut Tally, method: &str, wait: Duration, answer: io::Result<serde_json::Value>) {
    tally.requests += 1;
    let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
    tally.longest_wait_us = tally.longest_wait_us.max(wait);
    let failure = match answer {
        Ok(answer) if answer.get("error").is_none() => {
            note_version(tally, &answer);
            return;
        }
        Ok(answer) => answer.to_string(),
        Err(error) => error.to_string(),
    };
    tally.failed += 1;
    let request = tally.requests;
    tally
        .first_failure
        .get_or_insert_with(|| format!("request {request}, {method}: {failure}"));
}

fn note_version(tally: &mut Tally, answer: &serde_json::Value) {
    let version = answer
        .pointer("/parameters/version")
        .and_then(serde_json::Value::as_str);
    if let Some(version) = version
        && !tally.versions.iter().any(|known| known == version)
    {
        tally.versions.push(version.to_owned());
    }
}

fn ask(socket: &Path, method: &str) -> io::Result<serde_json::Value> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(BOUND))?;
    stream.set_write_timeout(Some(BOUND))?;
    let request = serde_json::json!({"method": method, "parameters": {}});
    stream.write_all(format!("{request}\0").as_bytes())?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(ANSWER_LIMIT)).read_until(0, &mut answer)?;
    if answer.pop() != Some(0) {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the connection was closed before the answer",
        ));
    }
    Ok(serde_json::from_slice(&answer)?)
}
